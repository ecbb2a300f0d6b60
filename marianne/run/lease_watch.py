"""The lease of a worker below a warden: until then all may run, also while that is stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from marianne.run.loop import Loop

SLACK = 1.0
"""Seconds: a warden that goes on ends its workers itself when its lease is over: it knows more."""


class LeaseWatch:
    """Calls ``over`` once the last lease is over; never where there is none."""

    def __init__(self, loop: Loop, over: Callable[[], None]) -> None:
        self._loop = loop
        self._over = over
        self._until = math.inf

    def extend(self, until: float) -> None:
        """All may run until then (CLOCK_BOOTTIME)."""
        first, self._until = self._until == math.inf, until
        if first:
            self._look()

    def _look(self) -> None:
        left = self._until + SLACK - time.clock_gettime(time.CLOCK_BOOTTIME)
        if left > 0:
            self._loop.call_later(left, self._look)
        else:
            self._over()
