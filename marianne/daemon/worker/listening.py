"""Whether a worker process listens: counted in looks, not in seconds.

A worker has one loop and no threads. One that is stopped, or that a template or a pattern keeps
busy for ever, hears nothing: its sheets' time limits pass and a cancel does not reach it. So it is
looked at every few seconds: at a look that finds that it has said nothing since the last one it is
asked for a report, half-way it is woken (a stopped process hears nothing else), at the end it
counts as dead.

A conductor that was itself stopped, or a machine that slept, looks once when it goes on, however
long it was away: it cannot take its own absence for a worker's silence.
"""

from __future__ import annotations

import math
from enum import StrEnum

ALONE = (10.0, 3)
"""Seconds between two looks, and how many in a row may find nothing, of a worker that works."""

HURRIED = 1.0
"""Seconds between two looks at one that was told what must not wait."""

HELLO = (0.5, 30.0)
"""Seconds between two looks at one that has not said hello, and seconds in which it has to: nothing
runs in it yet, and a crowded machine may take long to let it begin."""

ADOPTED_HELLO = (1.5, 10.0)
"""One that was taken over has as long as it would go on alone, for a healthy one has ended itself
by then; but at least and at most so many seconds."""


class Look(StrEnum):
    """What a look asks for."""

    FINE = "fine"
    ASK = "ask"
    WAKE = "wake"
    END = "end"


class Listening:
    """One stretch of looks, ``every`` so many seconds; after ``patience`` silent ones it ends."""

    def __init__(self, every: float, patience: int) -> None:
        self.every = every
        self._patience = max(1, patience)
        self._silent = 0
        self._heard = False

    @classmethod
    def alone(cls) -> Listening:
        """Of a worker that works."""
        return cls(*ALONE)

    @classmethod
    def hurried(cls, seconds: float, *, greeted: bool = True) -> Listening:
        """Of one that has so many seconds to answer what it has just been asked; one that has not
        said hello has as long at least as one that was taken over."""
        seconds = seconds if greeted else max(seconds, ADOPTED_HELLO[1])
        return cls(HURRIED, math.ceil(seconds / HURRIED))

    @classmethod
    def hello(cls, orphan_grace: float | None) -> Listening:
        """Of one that has to say hello. ``orphan_grace`` is for one that was taken over: how long
        it goes on alone, in seconds."""
        every, patience = HELLO
        if orphan_grace is not None:
            least, most = ADOPTED_HELLO
            patience = min(max(orphan_grace, least), most)
        return cls(every, math.ceil(patience / every))

    @property
    def silent(self) -> bool:
        """Whether it has been asked for some time and has not answered."""
        return self._silent > self._patience / 2

    def heard(self) -> None:
        """It said something."""
        self._heard = True

    def look(self) -> Look:
        """Time for a look: ``ASK``, ``WAKE`` (and ask) or ``END``, or nothing to do."""
        if self._heard:
            self._heard, self._silent = False, 0
            return Look.FINE
        self._silent += 1
        if self._silent > self._patience:
            return Look.END
        return Look.WAKE if self.silent else Look.ASK
