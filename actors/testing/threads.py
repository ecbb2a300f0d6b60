"""Threads of which one runs at a time, and the lock at which they change places."""

from __future__ import annotations

import _thread
import threading
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from types import TracebackType

    from actors.testing.simulation import Simulation


class SimExit(BaseException):
    """Unwinds a thread that is still there when its simulation ends."""


class SimThread:
    """A real thread that runs only while it holds its baton."""

    __slots__ = ("baton", "deadline", "id", "ident", "name", "state", "timed_out", "waits_for")

    def __init__(self, id: int, name: str) -> None:  # noqa: A002
        self.id = id
        self.ident = 0  # threading's number for it
        self.name = name
        self.baton = _thread.allocate_lock()
        self.baton.acquire()
        self.state: Literal["ready", "blocked", "quiet", "done"] = "ready"
        self.waits_for: SimLock | None = None
        self.deadline: float | None = None
        self.timed_out = False

    def __repr__(self) -> str:
        return f"{self.name} ({self.state})"


def check_timeout(blocking: bool, timeout: float) -> None:
    """Raises what a real lock raises for a time that it cannot wait."""
    if timeout == -1:
        return
    if not blocking:
        raise ValueError("can't specify a timeout for a non-blocking call")
    if not timeout >= 0:
        raise ValueError("timeout value must be a non-negative number")
    if timeout > threading.TIMEOUT_MAX:
        raise OverflowError("timestamp too large to convert to C _PyTime_t")


class SimLock:
    """A lock in virtual time. Taking and releasing it are the points where another may go on.

    With `exclusive=False` it only is such a point, and excludes nobody: a test that takes a lock
    away this way shows that it would notice.
    """

    __slots__ = ("_exclusive", "_sim", "locked", "waiters")

    def __init__(self, sim: Simulation, exclusive: bool = True) -> None:
        self._sim = sim
        self._exclusive = exclusive
        self.locked = False
        self.waiters: list[SimThread] = []

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        check_timeout(blocking, timeout)
        sim = self._sim
        sim.yield_point()
        if not self._exclusive:
            return True
        deadline = sim.now + timeout if timeout >= 0 else None
        while self.locked:
            if not blocking or not sim.block(self, deadline):
                return False
        self.locked = True
        return True

    def release(self) -> None:
        sim = self._sim
        if self._exclusive:
            if not self.locked and not sim.ending:
                raise RuntimeError("release unlocked lock")
            self.locked = False
            sim.unblock(self)
        if not sim.ending:
            sim.yield_point()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        self.release()
