"""How many sheets of agents may begin within a minute, over all jobs. Pure.

A sheet of an agent is a call of somebody's API, whatever it does with it. What was granted before a
restart is not counted: within that minute there may be twice as many.
"""

from __future__ import annotations

from collections import deque

WINDOW = 60.0


class CallRate:
    """A window of 60 s over the latest grants. ``limit`` None means no limit."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self._granted: deque[float] = deque()

    def note(self, now: float) -> None:
        """A sheet of an agent is granted."""
        if self.limit is not None:
            self._granted.append(now)

    def free_at(self, now: float) -> float | None:
        """When the next one may be granted, None if now. Times are seconds since the epoch."""
        granted = self._granted
        # A clock that was set back must not keep anything waiting for longer than the window.
        while granted and not now - WINDOW < granted[0] <= now:
            granted.popleft()
        if self.limit is None or len(granted) < self.limit:
            return None
        return granted[len(granted) - self.limit] + WINDOW
