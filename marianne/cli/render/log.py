"""A line of the conductor's log for a person."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from marianne.cli.render.facts import text_of
from marianne.cli.render.out import clean, paint, say
from marianne.cli.render.values import clock

_COLOUR = {"debug": "dim", "info": "green", "warning": "yellow", "error": "red", "critical": "red"}


LEVELS = ("debug", "info", "warning", "error")
LOOKED_AT = 4 * 2**20
"""Bytes at the end of the log that are searched."""

SHOWN = 50


def lines_about(path: Path, job_id: str) -> list[str]:
    """The last lines of the log that name this job, as they are; none where there is no log."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOOKED_AT))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    mark = json.dumps(job_id)
    return [line for line in text.splitlines() if mark in line][-SHOWN:]


def fields_of(line: str) -> dict[str, Any] | None:
    """What the line says; None for one that is no JSON object."""
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def print_log_line(line: str) -> None:
    """``time level event key=value…``; a line that is no JSON object as it is."""
    fields = fields_of(line)
    if fields is None:
        say(clean(line))
        return
    level = str(fields.pop("level", ""))
    when = fields.pop("ts", None) or fields.pop("timestamp", None)
    event = str(fields.pop("event", ""))
    trace = fields.pop("traceback", None) or fields.pop("exception", None)
    try:
        shown = clock(when)
    except (TypeError, ValueError):
        shown = str(when)
    words = [
        paint(shown, "dim"),
        paint(f"{level:<7}", *([_COLOUR[level]] if level in _COLOUR else [])),
        paint(clean(event), "bold"),
        *(f"{paint(key + '=', 'dim')}{clean(text_of(value))}" for key, value in fields.items()),
    ]
    say(" ".join(words))
    for traced in str(trace).splitlines() if trace else ():
        say(f"    {clean(traced)}")
