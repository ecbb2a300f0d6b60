"""A line of the conductor's log for a person."""

from __future__ import annotations

import json

from marianne.cli.render.facts import text_of
from marianne.cli.render.out import clean, paint, say
from marianne.cli.render.values import clock

_COLOUR = {"debug": "dim", "info": "green", "warning": "yellow", "error": "red", "critical": "red"}


def print_log_line(line: str) -> None:
    """``time level event key=value…``; a line that is no JSON object as it is."""
    try:
        fields = json.loads(line)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
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
