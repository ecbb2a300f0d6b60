"""A line over a stream socket for somebody's selector loop: what a worker needs of ipc's Dealer.

Both ends are processes of one machine that know each other: a warden and its job's worker, a
warden and who connects it with the conductor.
"""

from __future__ import annotations

import select
import socket
from collections import deque

from ipc.errors import CodecError
from marianne.executors.frames import Frames, Message, framed

READ = 256 * 1024
MOST_WAITING = 64 * 2**20
"""Bytes that wait for a peer that does not read; with more the line is closed."""


class StreamLine:
    """Register ``fileno()`` for reading and call ``drain`` whenever it fires: that sends what
    waited, too. ``closed`` once the other end is gone, or made no sense."""

    def __init__(self, connection: socket.socket) -> None:
        self.closed = False
        self._socket = connection
        connection.setblocking(False)
        self._frames = Frames()
        self._outbox: deque[bytes] = deque()
        self._size = 0
        self._wants_room = False
        self._epoll = select.epoll()
        self._epoll.register(connection.fileno(), select.EPOLLIN)

    def fileno(self) -> int:
        """Readable when ``drain`` has something to do."""
        return self._epoll.fileno()

    def send(self, message: Message) -> None:
        """Sends or queues one message; never blocks. To a closed line it is lost."""
        if self.closed:
            return
        data = framed(message)
        self._outbox.append(data)
        self._size += len(data)
        if self._size > MOST_WAITING:
            self._over()
        elif len(self._outbox) == 1:
            self._flush()

    @property
    def waiting(self) -> int:
        """How many messages wait for the other end to read."""
        return len(self._outbox)

    def drain(self) -> list[Message]:
        """What has arrived, in order; sends what waited."""
        if self.closed:
            return []
        if self._outbox:
            self._flush()
        found: list[Message] = []
        while not self.closed:
            try:
                data = self._socket.recv(READ)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self._over()
                break
            try:
                found += self._frames.feed(data)
            except CodecError:
                self._over()
        return found

    def close(self, linger: float = 0.0) -> None:
        """Ends the line; what waits gets at most ``linger`` seconds to leave."""
        if not self.closed and self._outbox and linger > 0:
            self._socket.settimeout(linger)
            try:
                self._socket.sendall(b"".join(self._outbox))
            except OSError:
                pass  # it says all that matters again
        self._over()
        self._epoll.close()
        self._socket.close()

    def _flush(self) -> None:
        while self._outbox:
            data = self._outbox[0]
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                self._want_room(True)
                return
            except OSError:
                self._over()
                return
            self._size -= sent
            if sent < len(data):
                self._outbox[0] = data[sent:]
            else:
                self._outbox.popleft()
        self._want_room(False)

    def _want_room(self, wanted: bool) -> None:
        if wanted != self._wants_room:
            self._wants_room = wanted
            events = select.EPOLLIN | (select.EPOLLOUT if wanted else 0)
            self._epoll.modify(self._socket.fileno(), events)

    def _over(self) -> None:
        """It is readable from now on, so that its owner notices."""
        self.closed = True
        self._outbox.clear()
        self._size = 0
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other end is gone already
