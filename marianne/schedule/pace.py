"""When a job's next sheet may start: the stagger between starts, the pause between sheets. Pure.

A sheet that comes too early is promised a time of its own, behind those that were promised one
before, so that many sheets that come at once do not all come back at once.
"""

from __future__ import annotations

TOLERANCE = 0.001
"""Seconds by which a timer may come early."""


class Pace:
    """``stagger`` is the least time between two starts, ``pause`` the least time from the end of
    a sheet to the next start while nothing else of the job runs; both in seconds, 0 is none.

    ``last_start`` and ``last_end`` say what happened before (seconds since the epoch).
    """

    def __init__(
        self, stagger: float, pause: float, last_start: float = 0.0, last_end: float = 0.0
    ) -> None:
        self._stagger = stagger
        self._pause = pause
        self._last_start = last_start
        self._last_end = last_end
        self._promised: dict[int, float] = {}
        self._latest = 0.0

    def start(self, num: int, now: float, running: int) -> float | None:
        """Notes that a sheet starts now; or answers the time at which it may, and has to ask again.

        ``running`` counts the job's sheets that run.
        """
        if not self._stagger and not self._pause:
            return None
        when = now
        # Nothing has happened later than now: a clock was set between two lives of the job.
        self._last_start, self._last_end = min(self._last_start, now), min(self._last_end, now)
        if self._stagger:
            before = self._last_start
            if num not in self._promised:
                before = max(before, self._latest)
            when = max(when, before + self._stagger)
        if self._pause and not running:
            when = max(when, self._last_end + self._pause)
        if when <= now + TOLERANCE:
            self._promised.pop(num, None)
            self._last_start = now
            return None
        self._promised[num] = when
        self._latest = max(self._latest, when)
        return when

    def promised(self, num: int) -> float | None:
        """The time that was promised to the sheet, if it has not started since."""
        return self._promised.get(num)

    def moved(self, by: float) -> None:
        """The clock by which all times are given was set by so many seconds."""
        self._last_start += by
        self._last_end += by
        self._latest += by
        self._promised = {num: when + by for num, when in self._promised.items()}

    def ended(self, now: float) -> None:
        """A sheet that ran has ended."""
        self._last_end = max(self._last_end, now)
