"""How many restarts are too many: OTP's sliding window (supervisor.erl, add_restart)."""

from __future__ import annotations

from collections import deque

from actors.errors import SpecError
from actors.outside import shown
from actors.runtime import is_time


class Intensity:
    """At most `limit` restarts within `period` seconds.

    Every attempt counts, failed ones too, for all children together; a group restart counts once.
    The window is inclusive: a restart exactly `period` ago still counts.
    """

    __slots__ = ("_times", "limit", "period")

    def __init__(self, limit: int, period: float) -> None:
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
            raise SpecError(f"intensity is a whole number from 0, not {shown(limit)}")
        if not is_time(period) or period <= 0:
            raise SpecError(f"period is a number of seconds above 0, not {shown(period)}")
        self.limit = limit
        self.period = period
        self._times: deque[float] = deque()

    def add(self, now: float) -> bool:
        """Counts one restart at `now`; False if it is one too many."""
        times = self._times
        times.append(now)
        while times[0] < now - self.period:
            times.popleft()
        return len(times) <= self.limit
