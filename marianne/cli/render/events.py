"""An event as a line."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from marianne.cli.render.out import clean, paint, say
from marianne.cli.render.values import clock, duration, with_local_times

_COLOUR = {
    "completed": "green",
    "validation_passed": "green",
    "failed": "red",
    "validation_failed": "red",
    "crashed": "red",
    "gave_up": "red",
    "retrying": "yellow",
    "skipped": "yellow",
    "interrupted": "yellow",
    "rate_limited": "yellow",
    "cancelled": "magenta",
    "started": "cyan",
}


def print_event(
    event: Mapping[str, Any], *, with_job: bool, names: Mapping[int, str] | None = None
) -> None:
    """``time job sheet what details``, sent at once. ``names`` are those of the job's sheets."""
    what = str(event["event"])
    if what == "daemon.tick":
        return  # a number for tails, not an occurrence
    num = event.get("sheet_num")
    parts = [paint(clock(event.get("ts")), "dim")]
    if with_job and event.get("job_id"):
        parts.append(paint(clean(event["job_id"]), "bold"))
    if num is not None:
        parts.append(_sheet(num, names or {}))
    scope, _, word = what.partition(".")
    shown = word.replace("_", " ") if num is not None or scope == "job" else what
    parts.append(paint(shown, *([_COLOUR[word]] if word in _COLOUR else [])))
    if scope == "job" and not with_job:
        parts.insert(1, paint("job", "bold"))
    if details := details_of(event):
        parts.append(clean(with_local_times(details)))
    say("  ".join(parts))
    sys.stdout.flush()


def details_of(event: Mapping[str, Any]) -> str:
    """What an event's data says, in words; unknown data as ``key=value``."""
    data = dict(event.get("data") or {})
    if event["event"] in ("job.completed", "job.failed", "job.cancelled"):
        return str(data.get("error") or "")
    message = data.pop("message", None) or data.pop("reason", None) or data.pop("error", None)
    message = " ".join(str(message or "").split())
    words = []
    if (attempt := data.pop("attempt", 1)) != 1:
        words.append(f"attempt {attempt}")
    exit_code = data.pop("exit_code", None)
    if exit_code and f"exit code {exit_code}" not in message.lower():
        words.append(f"exit code {exit_code}")
    for key in ("duration", "duration_seconds"):
        if isinstance(data.get(key), int | float):
            words.append(duration(data.pop(key)))
    if isinstance(data.get("percent"), int | float):
        words.append(f"{data.pop('percent'):g} %")
    delay = data.pop("delay", data.pop("wait", None))
    if isinstance(delay, int | float) and delay:
        words.append(f"again in {duration(delay)}")
    if left := data.pop("left_running", None):
        words.append(f"left running, and ended: {', '.join(map(str, left))}")
    category = data.pop("category", None)
    for hidden in ("needs", "how", "instrument", "config_path"):
        data.pop(hidden, None)
    words += [f"{key}={value}" for key, value in data.items() if value not in (None, [], {})]
    if message or category not in (None, "exit"):
        words.append(message or str(category))
    return ", ".join(words)


def _sheet(num: int, names: Mapping[int, str]) -> str:
    name = names.get(num)
    return f"sheet {num}" + (f" {clean(name)}" if name else "")
