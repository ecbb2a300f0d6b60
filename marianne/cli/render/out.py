"""Writing to standard output and standard error, with colour where a person reads it."""

from __future__ import annotations

import math
import os
import sys
from typing import Any, TextIO

from marianne.cli.render.terminal import harmless
from marianne.streams import clean

__all__ = ["clean", "json_text", "note", "paint", "print_json", "say", "wants_colour"]

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}


def wants_colour(stream: TextIO) -> bool:
    """Whether a person reads this stream on a terminal that shows colour (no-color.org)."""
    return (
        not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "") not in ("", "dumb")
        and stream.isatty()
    )


def paint(text: str, *styles: str, stream: TextIO | None = None) -> str:
    """The text in these styles, or as it is when the stream gets no colour."""
    if not styles or not text or not wants_colour(stream or sys.stdout):
        return text
    return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"


def say(text: str = "") -> None:
    """A line of the answer. Whatever is in it, a terminal is not driven by it."""
    write_text(sys.stdout, harmless(text) + "\n")


def note(text: str) -> None:
    """A line about the answer: progress, warnings, hints. Never part of the data, so one that
    cannot be written (a full disk behind a redirect) is lost and ends nothing."""
    sys.stdout.flush()
    try:
        write_text(sys.stderr, harmless(text) + "\n")
        sys.stderr.flush()
    except BrokenPipeError:
        raise
    except OSError:
        pass


def write_text(stream: TextIO, text: str) -> None:
    """Writes it; what the stream's encoding has no letter for is written as a question mark."""
    try:
        stream.write(text)
    except UnicodeEncodeError:  # a terminal in the C locale, names with other letters
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "replace").decode(encoding))


def print_json(value: Any, *, stream: bool = False) -> None:
    """One JSON value; on one line when it is an element of a stream, and sent at once."""
    sys.stdout.write(json_text(value, None if stream else 2) + "\n")
    if stream:
        sys.stdout.flush()


def json_text(value: Any, indent: int | None = None) -> str:
    """The value as JSON: on one line, or with its parts on lines of their own."""
    import json

    try:
        return json.dumps(value, indent=indent, default=_plain, allow_nan=False)
    except ValueError:  # JSON has no infinite number, and none that is none
        return json.dumps(_finite(value), indent=indent, default=_plain)


def _finite(value: Any) -> Any:
    """The value with None in the place of each number that is not finite."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    """What msgpack has and JSON has not."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    raise TypeError(f"cannot print {type(value).__name__} as JSON")
