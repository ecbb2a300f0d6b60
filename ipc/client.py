"""The asking side: one request at a time, without a thread, as quick as the socket allows."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any, Final, Self

import zmq

from ipc.connection import connect
from ipc.conversation import Conversation
from ipc.endpoint import way_to
from ipc.envelope import Reply, decode_reply
from ipc.errors import RETRYABLE, CodecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipc.endpoint import Way

# How often a waiting request looks whether its server went away. ZeroMQ does not say.
_LOOK_SECONDS: Final = 0.1


class Client:
    """Asks the server at `path`. Not for use by two threads at once, nor across a fork.

    The connection is made by the first request and comes back by itself after a server's restart.
    `alive` is asked now and then while there is none: if it says that no server will come, a
    request ends with DeadlineExceeded before its time.
    """

    def __init__(
        self,
        path: Way,
        timeout: float = 5.0,
        alive: Callable[[], bool] = lambda: True,
    ) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._socket: zmq.Socket[bytes] | None = None
        self._endpoint = way_to(path)
        self._timeout = timeout
        self._alive = alive
        self._receive_timeout = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # Before the collector comes to the context: that waits for its sockets for ever, which it
        # does not know any more when they are garbage with it.
        self.close()

    def close(self) -> None:
        """Ends the connection. The next request makes a new one."""
        if self._socket is not None and self._context is not None:
            self._socket.close(0)
            self._context.term()
            self._socket = self._context = None
            self._endpoint.close()

    def request(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        deadline: float | None = None,
        id: str | None = None,  # noqa: A002 - the field's name in the protocol
        retry: Collection[str] = RETRYABLE,
    ) -> Any:
        """The result of `method(params)`, within `deadline` seconds (the client's timeout if None).

        Until then the request is repeated under the same id: after silence, after the server came
        back, and after a refusal whose code is in `retry`. Raises RemoteError for any other
        refusal, and for the last one when time runs out; DeadlineExceeded if there was no answer;
        CodecError, before anything is sent, for what cannot be sent; EndpointError for a place in
        foreign hands.
        """
        seconds = self._timeout if deadline is None else deadline
        talk = Conversation(method, params, seconds, id, retry)
        while True:
            if not self._send(talk.frame(), talk.left()):
                if not self._alive():
                    raise talk.abandoned()
                continue
            talk.reached = True
            reply = self._receive(talk.id, talk.patience())
            if reply is None:
                talk.silent()
                continue
            pause = talk.answered(reply)
            if pause is None:
                return talk.result
            time.sleep(pause)

    def _connected(self) -> zmq.Socket[bytes]:
        if self._socket is None:
            context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
            try:
                self._socket = connect(context, self._endpoint)
            except BaseException:
                context.term()
                raise
            self._context = context
            self._receive_timeout = -1
        return self._socket

    def _send(self, frame: bytes, seconds: float) -> bool:
        """Hands the frame to a living connection; False if there was none in time."""
        socket = self._connected()
        try:
            socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            if not self._reaches(socket, seconds):
                return False
            try:
                socket.send(frame, zmq.NOBLOCK)
            except zmq.Again:  # the connection went between the two calls
                return False
        return True

    def _reaches(self, socket: zmq.Socket[bytes], seconds: float) -> bool:
        """Waits for a connection, as long as there may be one."""
        until = time.monotonic() + seconds
        while True:
            left = max(0.0, until - time.monotonic())
            if socket.poll(int(min(left, _LOOK_SECONDS) * 1000) + 1, zmq.POLLOUT):
                return True
            if left <= 0 or not self._alive():
                return False

    def _receive(self, request_id: str, seconds: float) -> Reply | None:
        """The reply to this request; None after silence, or once the connection is gone."""
        socket = self._connected()
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            # Waiting inside recv is one call; a poll before it would be three.
            timeout = int(min(left, _LOOK_SECONDS) * 1000) + 1
            if timeout != self._receive_timeout:
                socket.setsockopt(zmq.RCVTIMEO, timeout)
                self._receive_timeout = timeout
            try:
                frame = socket.recv()
            except zmq.Again:
                if not socket.poll(0, zmq.POLLOUT):
                    return None
                continue
            try:
                reply = decode_reply(frame)
            except CodecError:
                continue  # nothing that belongs to a request; sending again covers it
            if reply.id == request_id:
                return reply
        return None
