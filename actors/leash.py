"""What ends a child with its parent, also one that cannot run: stopped, or in C code with the GIL.

A pipe of which only the parent has the end for writing, and never writes. The kernel shall send the
child SIGKILL when something happens on it (fcntl(2), F_SETSIG), and what happens is its end.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import select
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_held: dict[int, tuple[Connection, Connection]] = {}  # by the pid of the holder; ends with it
_worn: list[Connection | int] = []


def collar() -> Connection:
    """In the parent: what to hand to each child. One is enough for all."""
    pid = os.getpid()
    if pid not in _held:
        _held[pid] = multiprocessing.Pipe(duplex=False)
    return _held[pid][0]


def put_on(end: Connection) -> bool:
    """In the child: from now on it ends with the parent. False if that has ended already."""
    # Whom a signal goes to is a matter of the open file, and this one all children share: another.
    number = os.open(f"/proc/self/fd/{end.fileno()}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    _worn.extend((end, number))
    fcntl.fcntl(number, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(number, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(number, fcntl.F_SETFL, fcntl.fcntl(number, fcntl.F_GETFL) | os.O_ASYNC)
    poll = select.poll()
    poll.register(end.fileno(), select.POLLIN)
    return not poll.poll(0)
