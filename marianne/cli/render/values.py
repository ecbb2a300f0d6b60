"""Times, durations, sizes and statuses as short words."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

STATUS_STYLE: dict[str, tuple[str, str, str]] = {
    # status: (sign, sign without Unicode, colour)
    "completed": ("✓", "+", "green"),
    "failed": ("✗", "x", "red"),
    "cancelled": ("⊘", "-", "magenta"),
    "cancelling": ("⊘", "-", "magenta"),
    "skipped": ("↷", ">", "yellow"),
    "running": ("▶", "*", "cyan"),
    "waiting": ("◷", "~", "yellow"),
    "ready": ("○", "o", "dim"),
    "pending": ("○", "o", "dim"),
    "queued": ("○", "o", "dim"),
    "pausing": ("‖", "=", "yellow"),
    "paused": ("‖", "=", "yellow"),
}


def parse_time(text: str | None) -> float | None:
    """Seconds since the epoch of a time as the protocol writes it."""
    if not text:
        return None
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def clock(text: str | None) -> str:
    """The local time of a protocol time; with the date when that is not today."""
    seconds = parse_time(text)
    if seconds is None:
        return ""
    then = datetime.fromtimestamp(seconds, UTC).astimezone()
    today = datetime.now(UTC).astimezone().date()
    return then.strftime("%H:%M:%S" if then.date() == today else "%Y-%m-%d %H:%M:%S")


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def with_local_times(text: str) -> str:
    """What the conductor says, its times as a person reads them here."""
    return _TIME.sub(lambda found: clock(found[0]), text)


def duration(seconds: float | None) -> str:
    """``0.24s``, ``12.3s``, ``4m05s``, ``2h10m``, ``3d04h``: three or four signs that matter."""
    if seconds is None:
        return ""
    seconds = max(0.0, seconds)
    if seconds < 9.995:
        return f"{seconds:.2f}s"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def span(start: str | None, end: str | None, now: float | None = None) -> float | None:
    """Seconds from start to end, or to now while there is no end; None before the start."""
    begun = parse_time(start)
    if begun is None:
        return None
    until = parse_time(end)
    if until is None:
        until = time.time() if now is None else now
    return until - begun


def at_work(job: Mapping[str, Any], now: float | None = None) -> float | None:
    """Seconds in which the job was at work, without those between attempts; None before them.

    Of a conductor that does not tell that, from its start to its end.
    """
    worked = job.get("worked_seconds")
    if worked is None:
        return span(job.get("started_at"), job.get("finished_at"), now)
    running = span(job.get("at_work_since"), None, now)
    return worked + max(0.0, running or 0.0) if worked or running is not None else None


def sheet_at_work(sheet: Mapping[str, Any], now: float | None = None) -> float | None:
    """Seconds that the attempts of a sheet took together, so far; None before them."""
    worked = sheet.get("worked_seconds")
    running = span(sheet["started_at"], None, now) if sheet["status"] == "running" else None
    if worked is None:
        return sheet.get("duration_seconds") if running is None else running
    return worked + max(0.0, running or 0.0) if worked or running is not None else None


def ago(text: str | None, now: float | None = None) -> str:
    """How long since: ``12s ago``, ``3m ago``, ``2h ago``, ``5d ago``."""
    then = parse_time(text)
    if then is None:
        return ""
    seconds = max(0, int((time.time() if now is None else now) - then))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit} ago"
    return f"{seconds}s ago"


def size(count: float) -> str:
    """Bytes with a binary unit."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
