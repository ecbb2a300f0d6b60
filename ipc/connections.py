"""The connections of a bound socket, and a bound on how many there are.

ZeroMQ accepts whoever connects, and ends the whole process (an assertion in its I/O thread) when
there is no descriptor left to accept with. So a socket that others can reach keeps to a share of
the descriptors: over it, the connection that was silent for the longest time is cut off. Who needs
it connects again, as after any other loss.
"""

from __future__ import annotations

import itertools
import os
import resource
import struct
import threading
from collections import OrderedDict
from typing import Any, Final

import zmq

_EVENTS: Final = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED
_EVENT: Final = struct.Struct("=HI")  # what zmq_socket_monitor(3) sends: the event, the descriptor
_places = itertools.count()

AHEAD: Final = 502
"""Connections that ZeroMQ accepts at most before it has to wait for us."""

FEWEST: Final = 16
MOST: Final = 4_096

SHAKE_MS: Final = 10_000
"""Who has connected and says no greeting within this time is cut off by ZeroMQ itself."""


def fair_share() -> int:
    """An eighth of the descriptors that this process may have, from 16 to 4,096.

    Of the usual 1,024, three such sockets leave half for a burst of AHEAD at one of them, and the
    rest for the work.
    """
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY:
        return MOST
    return max(FEWEST, min(soft // 8, MOST))


class Connections:
    """Watches a socket that is about to be bound, in a thread of its own. Other threads may call.

    `cut_off` counts the connections that were ended here. `crowded` says that more than half of
    the places are taken: from then on it is worth to tell of each message by `heard`, so that who
    is silent can be told from who works.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = fair_share() if limit is None else limit
        self.cut_off = 0
        self.crowded = False
        self.last_error: Exception | None = None
        self._serials = itertools.count(1)
        self._open: OrderedDict[int, int] = OrderedDict()  # descriptor: serial, silent ones first
        self._path = self._port = ""

    def watch(self, context: zmq.Context[zmq.Socket[bytes]], socket: zmq.Socket[bytes]) -> None:
        """Begins; the thread ends when the context does. Leaves nothing open where it fails."""
        place = f"inproc://connections-{next(_places)}"
        socket.setsockopt(zmq.HANDSHAKE_IVL, SHAKE_MS)
        socket.monitor(place, _EVENTS)
        monitor = context.socket(zmq.PAIR)
        monitor.setsockopt(zmq.LINGER, 0)
        # ZeroMQ's I/O thread tells of each connection before it accepts the next one, and waits
        # while AHEAD of them were not heard of: so a burst cannot outrun us. Half of what both
        # sides let wait is acknowledged at once, so it cannot be less: (1 + 1,000) / 2.
        try:
            monitor.setsockopt(zmq.RCVHWM, AHEAD - 1)  # counts on the other side
            monitor.connect(place)
            monitor.setsockopt(zmq.RCVHWM, 1)  # makes it count now
            threading.Thread(
                target=self._run, args=(monitor,), name="ipc-connections", daemon=True
            ).start()
        except BaseException:
            monitor.close(0)  # else the end of the context waits for it for ever
            raise

    def bound(self, address: str) -> None:
        """Where the socket is bound: what is cut off has to be a connection of this place."""
        self._path = address.removeprefix("ipc://")
        self._port = address.rpartition(":")[2] if address.startswith("tcp://") else ""

    def heard(self, descriptor: int) -> None:
        """A message came from this connection."""
        try:
            self._open.move_to_end(descriptor)
        except KeyError:
            pass  # closed meanwhile

    def serial(self, descriptor: int) -> int | None:
        """A number for this connection alone; None when it is over. Descriptors are used again."""
        return self._open.get(descriptor)

    def serials(self) -> set[int]:
        """Those of all connections that there are."""
        return set(self._open.copy().values())

    def cut(self, descriptor: int) -> None:
        """Ends a connection; ZeroMQ notices, and so does the peer."""
        self._open.pop(descriptor, None)
        try:
            # A descriptor of our own: ZeroMQ may close its one in this moment. Should another
            # connection of this socket have the number already, that one connects again.
            own = os.dup(descriptor)
        except OSError:  # it is gone, or there are no more: then at the risk of that moment
            self._shut(descriptor)
            return
        try:
            self._shut(own)
        finally:
            os.close(own)

    def _shut(self, descriptor: int) -> None:
        import socket  # who answers and is never crowded does without it

        try:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=descriptor)
        except OSError:
            return
        try:
            if self._is_ours(connection.getsockname()):
                connection.shutdown(socket.SHUT_RDWR)
                self.cut_off += 1
        except OSError:
            pass  # it is no connection any more
        finally:
            connection.detach()

    def _is_ours(self, name: Any) -> bool:
        """Whether a connection with this name of its own is one of the place that we watch."""
        return str(name[1]) == self._port if type(name) is tuple else name == self._path

    def __len__(self) -> int:
        return len(self._open)

    def _run(self, monitor: zmq.Socket[bytes]) -> None:
        try:
            while True:
                event, descriptor = _EVENT.unpack(monitor.recv())
                monitor.recv()  # the address, always ours
                try:
                    self._note(event, descriptor)
                except Exception as error:  # noqa: BLE001 - unheard, ZeroMQ would accept nobody
                    self.last_error = error
        except zmq.ContextTerminated:
            pass
        finally:
            monitor.close(0)

    def _note(self, event: int, descriptor: int) -> None:
        if event == zmq.EVENT_ACCEPTED:
            self._open.pop(descriptor, None)
            self._open[descriptor] = next(self._serials)
            if len(self._open) > self.limit:
                try:
                    silent = self._open.popitem(last=False)[0]  # one step, so no lock
                except KeyError:
                    return
                self.cut(silent)
        else:
            self._open.pop(descriptor, None)
        self.crowded = len(self._open) > self.limit // 2
