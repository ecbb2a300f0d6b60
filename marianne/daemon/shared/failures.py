"""What makes a conductor not ready though it runs: jobs that fail unexpectedly (crashes and
timeouts, not their failing sheets), notices that reach nobody."""

from __future__ import annotations

from collections import deque

WINDOW = 60.0
THRESHOLD = 3
DEGRADED_AFTER = 3
"""Notifications in a row that reached nobody."""


class FailureRate:
    """Counts failures in a sliding window of 60 s; elevated above three."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=THRESHOLD + 1)

    def note(self, now: float) -> None:
        """A failure at ``now`` (monotonic seconds)."""
        self._times.append(now)

    def elevated(self, now: float) -> bool:
        """Whether more than three failures lie within the last 60 s."""
        return sum(now - when <= WINDOW for when in tuple(self._times)) > THRESHOLD


class Delivery:
    """Whether people can be told: ``undelivered`` counts notices in a row that reached nobody,
    ``waiting`` those that are to be told yet."""

    def __init__(self) -> None:
        self.undelivered = 0
        self.waiting = 0

    @property
    def degraded(self) -> bool:
        """Whether there are three or more of them."""
        return self.undelivered >= DEGRADED_AFTER
