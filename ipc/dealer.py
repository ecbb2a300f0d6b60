"""The worker's end of a link: a DEALER that lives in somebody else's selector loop."""

from __future__ import annotations

import os
import select
from collections import deque
from typing import Any

import zmq

from ipc.codec import pack, unpack
from ipc.connection import connect
from ipc.endpoint import Endpoint
from ipc.errors import CodecError
from ipc.flags import EVENTS, NOBLOCK, READABLE, WRITABLE


class Dealer:
    """A reconnecting link to a `Router`, under a name of its own. For one thread.

    Register `fileno()` for reading and call `drain()` whenever it fires, also when nothing is
    expected: that is what lets ZeroMQ make and remake the connection. Each new connection
    announces itself to the router (`on_connect`) before anything else is sent on it, so that a
    router which has been restarted can ask for a report at once.

    Messages that cannot be sent yet wait in order, at most `limit` of them; further ones are
    dropped and counted. A message may be lost with a connection that dies, and one that waited
    may arrive after a newer report: what matters is said again until it is acknowledged.

    With a `server_key` it connects to nobody but the router that has the secret of it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        identity: bytes | str,
        *,
        limit: int = 10_000,
        server_key: bytes | None = None,
    ) -> None:
        self.identity = identity.encode() if isinstance(identity, str) else identity
        self.dropped = 0
        self.malformed = 0
        self.server_key = server_key
        self._limit = limit
        self._outbox: deque[bytes] = deque()
        self._endpoint = Endpoint(path)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._socket = self._connect(server_key)
        except BaseException:
            self._context.term()
            raise
        # ZeroMQ's own descriptor is edge-triggered: any call on the socket may swallow the
        # announcement of a message or of a new connection, and a loop would sleep on it. So it is
        # joined with an eventfd that is fired in that case, and both are shown as one descriptor.
        self._again = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll = select.epoll()
        self._epoll.register(self._again, select.EPOLLIN)
        self._epoll.register(self._socket.fileno(), select.EPOLLIN)

    def _connect(self, server_key: bytes | None) -> zmq.Socket[bytes]:
        return connect(
            self._context,
            self._endpoint,
            identity=self.identity,
            announce=True,
            server_key=server_key,
        )

    def trust(self, server_key: bytes) -> None:
        """From now on the router is whoever has the secret of this key: connects anew. What waits
        to be sent goes to that one; what came and was not drained is lost. Raises EndpointError."""
        fresh = self._connect(server_key)
        self._epoll.unregister(self._socket.fileno())
        self._socket.close(0)
        self.server_key, self._socket = server_key, fresh
        self._epoll.register(self._socket.fileno(), select.EPOLLIN)
        self._look()

    def close(self, linger: float = 0.0) -> None:
        """Ends the link; what is on its way gets at most `linger` seconds to leave."""
        self._epoll.close()
        os.close(self._again)
        self._socket.close(int(linger * 1000))
        self._context.term()
        self._endpoint.close()

    def fileno(self) -> int:
        """A descriptor that is readable when there is something for `drain` to do."""
        return self._epoll.fileno()

    def send(self, message: dict[str, Any]) -> None:
        """Sends a map, at once or as soon as there is a connection. Raises CodecError."""
        frame = pack(message)
        if not self._outbox:
            try:
                self._socket.send(frame, NOBLOCK)
            except zmq.Again:
                pass
            else:
                self._look()
                return
        if len(self._outbox) >= self._limit:
            self.dropped += 1
            return
        self._outbox.append(frame)
        self._look()

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as ZeroMQ has noticed."""
        return bool(self._look() & WRITABLE)

    @property
    def waiting(self) -> int:
        """How many messages wait for a connection, or for the router to read."""
        return len(self._outbox)

    def drain(self) -> list[dict[str, Any]]:
        """Everything that has arrived, in order; sends what waited. Never blocks.

        Frames that are no maps are counted and left out.
        """
        messages: list[dict[str, Any]] = []
        try:
            os.eventfd_read(self._again)
        except BlockingIOError:
            pass
        # Asked for first: that there is nothing costs three times as much as an exception.
        while self._has_work(events := int(self._socket.getsockopt(EVENTS))):
            if events & READABLE:
                self._receive_into(messages)
            self._send_waiting()
        return messages

    def _has_work(self, events: int) -> bool:
        return bool(events & READABLE or (self._outbox and events & WRITABLE))

    def _look(self) -> int:
        """The socket's state; makes `fileno` fire if looking at it has swallowed a reason to."""
        events = int(self._socket.getsockopt(EVENTS))
        if self._has_work(events):
            os.eventfd_write(self._again, 1)
        return events

    def _receive_into(self, messages: list[dict[str, Any]]) -> None:
        try:
            frame = self._socket.recv(NOBLOCK)
        except zmq.Again:
            return
        try:
            message = unpack(frame)
        except CodecError:
            message = None
        if isinstance(message, dict):
            messages.append(message)
        else:
            self.malformed += 1

    def _send_waiting(self) -> None:
        while self._outbox:
            try:
                self._socket.send(self._outbox[0], NOBLOCK)
            except zmq.Again:
                return
            self._outbox.popleft()
