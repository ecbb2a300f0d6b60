"""ZeroMQ's flags as plain numbers: combining those of pyzmq costs more than a send."""

from __future__ import annotations

from typing import Final

import zmq

NOBLOCK: Final = int(zmq.NOBLOCK)
MORE: Final = int(zmq.SNDMORE) | NOBLOCK
EVENTS: Final = int(zmq.EVENTS)
READABLE: Final = int(zmq.POLLIN)
WRITABLE: Final = int(zmq.POLLOUT)
