"""Where an attempt stands; how it gets from one to the other is in attempt.py."""

from __future__ import annotations

import time
from enum import StrEnum


class State(StrEnum):
    """Where an attempt stands."""

    QUEUED = "queued"
    STAGING = "staging"
    SKIPPING = "skipping"
    RUNNING = "running"
    CHECKING = "checking"
    ENDING = "ending"
    DONE = "done"


class Stillness:
    """For how long an attempt stood still."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._over = 0.0

    def hold(self, on: bool) -> None:
        """It stands still from now on, or goes on."""
        self._over, self._since = self.seconds(), time.monotonic() if on else None

    def seconds(self) -> float:
        """In all, until now."""
        return self._over + (0.0 if self._since is None else time.monotonic() - self._since)
