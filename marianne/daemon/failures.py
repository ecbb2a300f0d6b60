"""The rate of unexpected failures: crashes and timeouts of jobs, not their failing sheets."""

from __future__ import annotations

from collections import deque

WINDOW = 60.0
THRESHOLD = 3


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
