"""Time for decisions: the wall clock is for people, and anybody may set it.

What waits within one process is measured by :func:`steady`. What lasts longer than a process is on
disk in wall time, and is armed again by whoever reads it. What is kept in wall time while it waits
(so that people see when it is due) is moved along when a :class:`Watch` says that the clock was
set.
"""

from __future__ import annotations

import time

TOLERANCE = 0.25
"""Seconds by which the wall clock may differ before it counts as set: the two are not read at the
same instant, and a busy machine may come between."""


def _since_boot() -> float:
    # Unlike the monotonic clock this one goes on while the machine sleeps, as the wall clock does:
    # a sleep is no setting of the clock.
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _asleep() -> float:
    """Seconds that the machine has slept since its boot."""
    return _since_boot() - time.monotonic()


LOOK_AGAIN = 60.0
"""Seconds that a timer is set for at most where something is due by the wall clock or by
:func:`steady`: timers stand still while the machine sleeps."""

_EPOCH = time.time() - _since_boot()


def steady() -> float:
    """Seconds since the epoch by a clock that nobody sets: what the wall clock said when this
    process began, and the time that has passed since. For this process only."""
    return _EPOCH + _since_boot()


def earliest() -> float:
    """The wall clock's time or :func:`steady`'s, whichever is earlier: for deleting what is old, of
    which a clock that was set forward must not make more."""
    return min(time.time(), steady())


def to_wall(moment: float) -> float:
    """What the wall clock will say at that time of :func:`steady`, as it is set now."""
    return moment + time.time() - steady()


class Watch:
    """Notices that the wall clock was set. Each holder of wall times has its own."""

    def __init__(self) -> None:
        self._offset = time.time() - _since_boot()
        self._slept = _asleep()

    def moved(self) -> float:
        """By how many seconds the clock was set since the last call; 0.0 if it was not."""
        offset = time.time() - _since_boot()
        by = offset - self._offset
        if abs(by) < TOLERANCE:
            return 0.0
        self._offset = offset
        return by

    def slept(self) -> float:
        """For how many seconds the machine has slept since the last call."""
        before, self._slept = self._slept, _asleep()
        return max(0.0, self._slept - before)
