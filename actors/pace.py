"""How soon and how often a child may be restarted."""

from __future__ import annotations

import math
import zlib
from collections import deque
from dataclasses import dataclass

from actors.errors import SpecError
from actors.outside import shown
from actors.runtime import is_time


class Intensity:
    """At most `limit` restarts within `period` seconds: OTP's sliding window (`add_restart`).

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


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays of `min`, 2 `min`, 4 `min` … up to `max` seconds before a restart. OTP has none.

    `jitter` adds up to that fraction. A child that lived `reset_after` seconds (default: the mean
    of min and max) begins again at `min`.
    """

    min: float = 0.1
    max: float = 30.0
    jitter: float = 0.2
    reset_after: float | None = None

    def __post_init__(self) -> None:
        for name in ("min", "max", "jitter", "reset_after"):
            value = getattr(self, name)
            if not (is_time(value) or (name == "reset_after" and value is None)):
                raise SpecError(f"backoff: {name} is a number, not {shown(value)}")
        if not 0 < self.min <= self.max < math.inf:
            raise SpecError(f"backoff: 0 < min <= max < inf, not {self.min} and {self.max}")
        if not 0 <= self.jitter <= 1:
            raise SpecError(f"backoff: jitter is a fraction from 0 to 1, not {self.jitter}")

    def delay(self, failures: int, salt: str) -> float:
        """Seconds before the restart after `failures` earlier ones in a row.

        The jitter is a function of salt and count: siblings differ, and a replayed test does not.
        """
        base = min(self.max, self.min * 2.0 ** min(failures, 64))
        fraction = zlib.crc32(f"{salt}/{failures}".encode()) / 0xFFFFFFFF
        return base * (1 + self.jitter * fraction)

    def stable(self, uptime: float) -> bool:
        """Whether a life of `uptime` seconds counts as a success."""
        limit = self.reset_after if self.reset_after is not None else (self.min + self.max) / 2
        return uptime >= limit
