"""Until when a node may run what it was given, as the node and as the conductor see it. Pure.

A node asks for its lease with the time on its own clock, and the answer names that time again. So
no two clocks are compared, and an answer that was held up on its way extends nothing: the lease
ends at most its length after the answer was given. Whoever answers knows from when on the node has
ended all: after its last answer, the length of the lease, the grace of the sheets and a margin.

The clocks go on while a machine sleeps (CLOCK_BOOTTIME).
"""

from __future__ import annotations

import math
import time

BEATS = 4
"""How often a node asks within the length of a lease."""

MARGIN_SHARE, MARGIN_LEAST = 0.1, 2.0
"""What is waited beyond lease and grace: a share of the lease, but at least so many seconds."""


def clock() -> float:
    """Seconds that no setting of the time changes and no sleep of the machine stops."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """The node's side. None is held at first; ``seconds`` is its length."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.until = -math.inf

    @property
    def every(self) -> float:
        """Seconds between two questions."""
        return self.seconds / BEATS

    def extend(self, asked_at: float) -> None:
        """What was asked at this time was answered."""
        self.until = max(self.until, asked_at + self.seconds)

    def over(self, now: float) -> bool:
        """Whether nothing may run any more."""
        return now >= self.until


class Tenure:
    """The conductor's side: whether a node that is not reached may still run something.

    ``lost`` starts it, when no answer can reach the node any more; ``found`` ends it.
    """

    def __init__(self, lease: float, grace: float) -> None:
        self._wait = lease + grace + max(MARGIN_LEAST, MARGIN_SHARE * lease)
        self._over_at: float | None = None

    def lost(self, now: float) -> None:
        """The connection is gone; said again it changes nothing."""
        if self._over_at is None:
            self._over_at = now + self._wait

    def found(self) -> None:
        """The node is reached again."""
        self._over_at = None

    def left(self, now: float) -> float:
        """Seconds until it has surely ended all; infinite while it is reached."""
        return math.inf if self._over_at is None else max(0.0, self._over_at - now)

    def over(self, now: float) -> bool:
        """Whether nothing that it was given runs any more."""
        return self.left(now) <= 0.0
