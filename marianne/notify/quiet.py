"""Hours in which nothing is told but what waits for a person. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_HOURS = re.compile(r"([01]?\d|2[0-3]):([0-5]\d) *- *([01]?\d|2[0-3]):([0-5]\d)")


def hours(text: str) -> tuple[int, int] | None:
    """``22:00-07:00`` in minutes of the day; None for what is none."""
    found = _HOURS.fullmatch(text.strip())
    if found is None:
        return None
    first, last = (60 * int(found[n]) + int(found[n + 1]) for n in (1, 3))
    return None if first == last else (first, last)


def seconds_left(text: str, now: float) -> float:
    """Seconds from ``now`` (since the epoch) until the hours are over, by the clock of this
    machine; 0 outside of them. A text that is none means no hours."""
    found = hours(text)
    if found is None:
        return 0.0
    first, last = found
    here = datetime.fromtimestamp(now)
    minute = 60 * here.hour + here.minute
    within = first <= minute < last if first < last else minute >= first or minute < last
    if not within:
        return 0.0
    end = here.replace(hour=last // 60, minute=last % 60, second=0, microsecond=0)
    if end <= here:
        end += timedelta(days=1)  # by the calendar: the clocks may change that night
    return max(0.0, end.timestamp() - now)
