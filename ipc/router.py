"""One ROUTER socket and the thread that owns it.

ZeroMQ sockets belong to one thread. Everybody else hands messages to a deque and, only when the
thread is about to wait or waits already, writes to an eventfd. So a busy socket costs its senders
an append each, and a resting one costs nothing at all.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import zmq

from ipc.codec import CUT_OFF
from ipc.connections import Connections
from ipc.endpoint import place_of
from ipc.flags import EVENTS, MORE, NOBLOCK, READABLE

if TYPE_CHECKING:
    from ipc.endpoint import Place

# Messages read in a row before replies are sent and timers looked at.
_BATCH: Final = 256
# How long `stop` lets unsent messages drain into slow peers.
_LINGER_SECONDS: Final = 0.5


OnMessage = Callable[[bytes, bytes], object]
OnConnect = Callable[[bytes], object]
Timer = Callable[[], float | None]


class Router:
    """Receives from and sends to many peers, each known by its identity.

    `on_message(identity, payload)` runs in the router's thread for each message and must not
    block. An empty message is a peer that has just connected (ZMQ_PROBE_ROUTER, see `Dealer`) and
    goes to `on_connect(identity)`, if given. `timer()` is called before each wait and returns the
    seconds until it wants to be called again, or None. An exception from any of the three is
    counted, kept as `last_error` and does not end the thread: whoever sends garbage that trips a
    handler must not deafen the others.

    A peer that comes back under an identity in use takes it over (ROUTER_HANDOVER). `high_water`
    bounds the messages that wait in each direction for each peer; to a peer that does not read,
    further messages are dropped and counted. Over `max_connections` (default: a share of the
    descriptors of this process) the one that was silent longest is cut off. With a `secret_key` it
    proves to each peer who it is, and peers that do not ask for that are refused (`ipc.curve`).
    """

    def __init__(
        self,
        path: Place,
        on_message: OnMessage,
        *,
        on_connect: OnConnect | None = None,
        timer: Timer | None = None,
        high_water: int = 1000,
        max_connections: int | None = None,
        secret_key: bytes | None = None,
        name: str = "ipc-router",
    ) -> None:
        self.endpoint = place_of(path)
        self.connections = Connections(max_connections)
        self.name = name
        self.last_error: BaseException | None = None
        self.received = self.sent = self.malformed = self.failures = 0
        self.dropped_absent = self.dropped_slow = 0
        self._on_message = on_message
        self._on_connect = on_connect
        self._timer = timer
        self._high_water = high_water
        self._secret_key = secret_key
        self._outbox: deque[tuple[bytes, bytes]] = deque()
        self._waiting = False
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._wake_fd = -1
        self._wake_lock = threading.Lock()

    def start(self) -> None:
        """Binds and begins to receive. Raises EndpointError if the path must not be used."""
        # A context of its own: only ending it proves that the socket is closed, and a listener
        # that closes late would remove the path of its successor.
        context = zmq.Context()
        socket = context.socket(zmq.ROUTER)
        try:
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
            socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
            socket.setsockopt(zmq.MAXMSGSIZE, CUT_OFF)
            socket.setsockopt(zmq.SNDHWM, self._high_water)
            socket.setsockopt(zmq.RCVHWM, self._high_water)
            if self._secret_key is not None:
                from ipc import curve

                curve.serve_by(socket, self._secret_key)
            self.endpoint.arm(context, socket)
            self.connections.watch(context, socket)
            self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self.endpoint.bind(socket.bind)
            self.connections.bound(self.endpoint.address)
            thread = threading.Thread(
                target=self._run, args=(context, socket), name=self.name, daemon=True
            )
            thread.start()
        except BaseException:
            socket.close(0)
            context.term()
            self._close_wake()
            self.endpoint.remove()
            raise
        self._thread = thread

    def stop(self, timeout: float = 5.0) -> bool:
        """Sends what is queued, closes the socket, removes the path. True once that has happened.

        May be called from any thread, also from the router's own, and more than once.
        """
        self._stopping = True
        self._wake()
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return thread is None
        thread.join(timeout)
        return not thread.is_alive()

    def send(self, identity: bytes, payload: bytes) -> None:
        """Queues a message; never blocks, from any thread. Order is kept for each sending thread.

        A message to a peer that is not connected is dropped and counted (`dropped_absent`).
        """
        self._outbox.append((identity, payload))
        if self._waiting:
            self._wake()

    def wake(self) -> None:
        """Makes the thread look at its timer again."""
        if self._waiting:
            self._wake()

    def _wake(self) -> None:
        self._waiting = False
        with self._wake_lock:
            if self._wake_fd >= 0:
                os.eventfd_write(self._wake_fd, 1)

    def _close_wake(self) -> None:
        with self._wake_lock:
            if self._wake_fd >= 0:
                os.close(self._wake_fd)
            self._wake_fd = -1

    def _run(self, context: zmq.Context[zmq.Socket[bytes]], socket: zmq.Socket[bytes]) -> None:
        try:
            self._loop(socket)
            self._flush(socket)
        finally:
            self._close_wake()
            socket.close(int(_LINGER_SECONDS * 1000))
            context.term()
            self.endpoint.remove()

    def _loop(self, socket: zmq.Socket[bytes]) -> None:
        poller = zmq.Poller()
        poller.register(socket, zmq.POLLIN)
        poller.register(self._wake_fd, zmq.POLLIN)
        readable = True
        while not self._stopping:
            busy = readable and self._receive(socket)
            if self._outbox:
                self._flush(socket)
            wait = self._tick()
            if busy:
                continue
            # In this order: a sender that appended before it could see `_waiting` is found here,
            # and one that appends later sees it and wakes us.
            self._waiting = True
            readable = False
            if not self._outbox and not self._stopping:
                for ready, _ in poller.poll(wait):
                    if ready is socket:
                        readable = True
                    else:
                        os.eventfd_read(self._wake_fd)
            self._waiting = False

    def _receive(self, socket: zmq.Socket[bytes]) -> bool:
        """Reads what is there, up to a batch; True if there may be more."""
        for _ in range(_BATCH):
            try:
                identity = socket.recv(NOBLOCK)
            except zmq.Again:
                return False
            payload = self._payload(socket)
            if socket.getsockopt(zmq.RCVMORE):
                while socket.getsockopt(zmq.RCVMORE):
                    socket.recv(NOBLOCK)
                self.malformed += 1
                continue
            self.received += 1
            try:
                if payload or self._on_connect is None:
                    self._on_message(identity, payload)
                else:
                    self._on_connect(identity)
            except Exception as error:  # noqa: BLE001 - see the class: no sender may end the thread
                self._failed(error)
            if self._outbox:
                self._flush(socket)
            # That there is nothing costs three times as much to be told by an exception.
            if not int(socket.getsockopt(EVENTS)) & READABLE:
                return False
        return True

    def _payload(self, socket: zmq.Socket[bytes]) -> bytes:
        if not self.connections.crowded:
            return socket.recv(NOBLOCK)
        # As a frame, which costs more and knows which connection it came by.
        frame = socket.recv(NOBLOCK, copy=False)
        self.connections.heard(int(frame.get(zmq.SRCFD)))
        return frame.bytes

    def _flush(self, socket: zmq.Socket[bytes]) -> None:
        outbox = self._outbox
        while outbox:
            identity, payload = outbox.popleft()
            try:
                socket.send(identity, MORE)
                socket.send(payload, NOBLOCK)
            except zmq.Again:
                self.dropped_slow += 1
            except zmq.ZMQError as error:
                if error.errno != zmq.EHOSTUNREACH:
                    self._failed(error)
                self.dropped_absent += 1
            else:
                self.sent += 1

    def _tick(self) -> int | None:
        """Runs the timer; the milliseconds to wait at most, None for as long as it takes."""
        if self._timer is None:
            return None
        try:
            seconds = self._timer()
        except Exception as error:  # noqa: BLE001 - see the class
            self._failed(error)
            seconds = 1.0
        return None if seconds is None else max(0, int(seconds * 1000) + 1)

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        self.last_error = error
