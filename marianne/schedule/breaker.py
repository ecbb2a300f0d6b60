"""The breaker of a job's instrument: when it keeps failing, the job stops asking it for a while.

Five failures in a row open it: no sheet of the job begins with that instrument for 30 s. Then one
sheet tries (half-open). If it fails, the wait doubles, up to 300 s; if the instrument works, the
breaker is closed and the sheets that waited go on. Each job has breakers of its own: its failures
slow nobody else.

A failure is an attempt that the instrument itself may be to blame for (exit, signal, timeout,
silence). One whose work did not pass its checks shows that the instrument works. What no waiting
mends (no such program, no login, a wrong template) says nothing and goes its own way. Instruments
that hand a sheet's text to a shell have no breaker: each sheet is a program of its own, and the
failures of one say nothing of the next.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from marianne.records import dataclass
from marianne.schedule.outcome import Ending

THRESHOLD = 5
"""Failures in a row that open a breaker."""

FIRST_WAIT = 30.0
LONGEST_WAIT = 300.0
TOLERANCE = 0.001
"""Seconds by which a timer may come early."""

_BLAMED = frozenset({"exit", "signal", "timeout", "idle"})


def works(result: Ending) -> bool | None:
    """Whether an attempt shows that its instrument works; None when it says nothing."""
    if result.outcome == "completed" or result.category == "validation":
        return True
    if result.outcome == "failed" and (result.category or "exit") in _BLAMED:
        return False
    return None


@dataclass(slots=True)
class Breaker:
    """``until`` (seconds since the epoch) is None while it is closed; from then on ``probe`` is the
    sheet that tries. ``openings`` counts those in a row."""

    failures: int = 0
    openings: int = 0
    until: float | None = None
    probe: int | None = None

    def wait(self, now: float) -> float | None:
        """None when a sheet may begin, else the time at which to ask again; infinite while another
        one tries."""
        if self.until is None:
            return None
        # It was kept by a clock that has been set since.
        self.until = min(self.until, now + LONGEST_WAIT)
        if self.until > now + TOLERANCE:
            return self.until
        return None if self.probe is None else math.inf

    def ended(self, num: int, working: bool | None, now: float) -> bool:
        """Takes in how an attempt ended; whether those that wait have something to do."""
        tried = self.probe == num
        if tried:
            self.probe = None
        if working is None:
            return tried
        if working:
            opened = self.until is not None
            self.failures = self.openings = 0
            self.until = None
            return opened
        self.failures += 1
        if tried or (self.until is None and self.failures >= THRESHOLD):
            self.until = now + min(LONGEST_WAIT, FIRST_WAIT * math.pow(2, self.openings))
            self.openings = min(self.openings + 1, 16)
            return True
        return False


@dataclass(slots=True)
class Breakers:
    """A job's breakers by instrument, and the sheets that each keeps back."""

    known: dict[str, Breaker] = field(default_factory=dict)
    held: dict[int, str] = field(default_factory=dict)

    @classmethod
    def read(cls, stored: Mapping[str, Any] | None) -> Breakers:
        """From the job's options. Who tries is not kept: after a restart the next sheet does."""
        return cls({name: Breaker(*state) for name, state in (stored or {}).items()})

    def stored(self) -> dict[str, Any]:
        """What goes into the job's options: breakers that differ from new ones."""
        return {
            name: [b.failures, b.openings, b.until]
            for name, b in self.known.items()
            if b.failures or b.until is not None
        }

    def wait(self, num: int, instrument: str, now: float) -> float | None:
        """As :meth:`Breaker.wait`; a sheet that has to wait is kept back."""
        breaker = self.known.get(instrument)
        when = None if breaker is None else breaker.wait(now)
        if when is None:
            self.held.pop(num, None)
        else:
            self.held[num] = instrument
        return when

    def moved(self, by: float) -> bool:
        """The clock was set by so many seconds; whether anything of that is to be kept."""
        opened = [breaker for breaker in self.known.values() if breaker.until is not None]
        for breaker in opened:
            breaker.until = (breaker.until or 0.0) + by
        return bool(opened)

    def started(self, num: int, instrument: str) -> None:
        """A sheet begins; on a half-open breaker it is the one that tries."""
        breaker = self.known.get(instrument)
        if breaker is not None and breaker.until is not None:
            breaker.probe = num

    def ended(
        self, num: int, instrument: str, working: bool | None, now: float
    ) -> dict[int, float]:
        """An attempt ended: the sheets that are to ask again, and when."""
        if working is False:
            self.known.setdefault(instrument, Breaker())
        breaker = self.known.get(instrument)
        if breaker is None or not breaker.ended(num, working, now):
            return {}
        when = max(now, breaker.until or now)
        return {num: when for num, name in self.held.items() if name == instrument}
