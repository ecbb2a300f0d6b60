"""The asking side for programs with an event loop: many requests at once over one connection."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import zmq

from ipc.connection import connect
from ipc.conversation import Conversation
from ipc.endpoint import way_to
from ipc.envelope import Reply, decode_reply
from ipc.errors import RETRYABLE, CodecError

if TYPE_CHECKING:
    from ipc.endpoint import Way

# How often a request that waits, for a connection or for its reply, looks at the connection.
_LOOK_SECONDS: Final = 0.1


class AsyncClient:
    """Asks the server at `path` from one event loop; requests may overlap.

    Promises what `Client` promises. The loop watches the socket's descriptor itself: there is no
    thread, and none of the cost of `zmq.asyncio`.
    """

    def __init__(self, path: Way, timeout: float = 5.0) -> None:
        self._endpoint = way_to(path)
        self._timeout = timeout
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._socket: zmq.Socket[bytes] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: dict[str, asyncio.Future[Reply]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection; requests that still wait are cancelled."""
        if self._socket is None or self._context is None or self._loop is None:
            return
        self._loop.remove_reader(self._socket.fileno())
        for future in self._waiting.values():
            future.cancel()
        self._socket.close(0)
        self._context.term()
        self._socket = self._context = self._loop = None
        self._endpoint.close()

    async def request(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        deadline: float | None = None,
        id: str | None = None,  # noqa: A002 - the field's name in the protocol
        retry: Collection[str] = RETRYABLE,
    ) -> Any:
        """The result of `method(params)`, or the exceptions that `Client.request` raises."""
        seconds = self._timeout if deadline is None else deadline
        talk = Conversation(method, params, seconds, id, retry)
        if talk.id in self._waiting:
            raise ValueError(f"id {talk.id!r} is in use by another request of this client")
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[talk.id] = future
        try:
            while True:
                while not self._send(talk.frame()):
                    await asyncio.sleep(min(_LOOK_SECONDS / 4, talk.left()))
                talk.reached = True
                reply = await self._reply(future, talk.patience())
                if reply is None:
                    talk.silent()
                    continue
                pause = talk.answered(reply)
                if pause is None:
                    return talk.result
                future = self._waiting[talk.id] = asyncio.get_running_loop().create_future()
                await asyncio.sleep(pause)
        finally:
            self._waiting.pop(talk.id, None)

    async def _reply(self, future: asyncio.Future[Reply], seconds: float) -> Reply | None:
        """The reply; None after silence, or once the connection is gone."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (left := until - loop.time()) > 0:
            done, _ = await asyncio.wait((future,), timeout=min(left, _LOOK_SECONDS))
            if done:
                return future.result()
            if self._socket is None or not self._events() & zmq.POLLOUT:
                return None
        return None

    def _send(self, frame: bytes) -> bool:
        """Hands the frame to a living connection; False if there is none."""
        socket = self._connected()
        try:
            socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            return False
        # The descriptor is edge-triggered, and sending may have swallowed an edge.
        if self._events() & zmq.POLLIN:
            asyncio.get_running_loop().call_soon(self._drain)
        return True

    def _connected(self) -> zmq.Socket[bytes]:
        if self._socket is None:
            loop = asyncio.get_running_loop()
            context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
            try:
                self._socket = connect(context, self._endpoint)
            except BaseException:
                context.term()
                raise
            self._context, self._loop = context, loop
            loop.add_reader(self._socket.fileno(), self._drain)
        return self._socket

    def _events(self) -> int:
        return int(self._connected().getsockopt(zmq.EVENTS))

    def _drain(self) -> None:
        """Gives each reply that has arrived to the request that waits for it."""
        socket = self._socket
        while socket is not None:
            try:
                reply = decode_reply(socket.recv(zmq.NOBLOCK))
            except zmq.Again:
                return
            except CodecError:
                continue  # nothing that belongs to a request; sending again covers it
            future = self._waiting.get(reply.id)
            if future is not None and not future.done():
                future.set_result(reply)
