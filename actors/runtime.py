"""Where time, threads and locks come from: the only three things a test replaces.

Everything in this package that waits, waits on a lock from here. That is why
`actors.testing` can run the same code under a virtual clock and a seeded scheduler.
"""

from __future__ import annotations

import _thread
import threading
import time
from math import isnan
from typing import TYPE_CHECKING, Any, Protocol

from actors.outside import shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Lock(Protocol):
    """A lock that any thread may release, as `threading.Lock`."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...
    def release(self) -> None: ...
    def __enter__(self) -> bool: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...


class Runtime(Protocol):
    """What a system runs on."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""

    def lock(self) -> Lock:
        """A new, free lock."""

    def reentrant_lock(self) -> Lock:
        """A lock that the thread which holds it may take again: in a signal handler."""

    def start_thread(self, target: Callable[[], None], name: str) -> None:
        """Runs `target` in a new thread that does not keep the process alive."""


LONGEST = 1e9
"""Seconds, about 30 years, from which a wait has no end: locks overflow at some centuries."""


def acquire(lock: Lock, seconds: float | None) -> bool:
    """Takes the lock; False after `seconds`, of which there may be any number."""
    if seconds is None or seconds > LONGEST:
        return lock.acquire()
    return lock.acquire(True, seconds if seconds > 0 else 0.0)


def is_time(value: object) -> bool:
    """Whether it is a number of seconds; not a nan, which comes neither sooner nor later."""
    return isinstance(value, int | float) and not isinstance(value, bool) and not isnan(value)


def check_time(value: float | None, what: str = "seconds") -> None:
    """Raises TypeError for what is neither None nor a number of seconds."""
    if value is not None and not is_time(value):
        raise TypeError(f"{what} is a number of seconds or None, not {shown(value)}")


class _Unawaited(threading.Event):
    """The event that says a thread has started, for which nobody here waits."""

    def wait(self, timeout: float | None = None) -> bool:
        return True

    def set(self) -> None:
        self._flag = True  # nobody to be woken


class RealRuntime:
    """The machine's own clock, threads and locks."""

    # Bound here, not called through a method: these stand in the path of every message.
    monotonic = staticmethod(time.monotonic)
    lock = staticmethod(_thread.allocate_lock)
    reentrant_lock = staticmethod(_thread.RLock)

    @staticmethod
    def start_thread(target: Callable[[], None], name: str) -> None:
        # Daemon, because Python joins other threads at exit, and a stuck actor cannot be joined.
        thread = threading.Thread(target=target, name=name, daemon=True)
        # Its start need not be waited for: every actor acknowledges its start anyway, and waiting
        # twice costs a fifth of a restart. (A new event would cost as much as it saves.) If a
        # future Python names the event differently, `start` waits as ever.
        started: Any = thread.__dict__.get("_started")
        if "_flag" in getattr(started, "__dict__", ()):
            started.__class__ = _Unawaited
        thread.start()
