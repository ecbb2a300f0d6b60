"""Errors and warnings as a person reads them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from marianne.cli.errors import CliError
from marianne.cli.render.out import clean, note, paint


def print_error(error: CliError) -> None:
    """``error: message``, the problems it carries, and the hint, on standard error."""
    if error.code == "interrupted" and error.hint is None:
        note("")  # the terminal shows ^C already: only end its line
        return
    problems = error.data.get("problems") or [] if isinstance(error.data, dict) else []
    # The conductor's message repeats the problems for clients that read nothing else.
    repeated = any(problem.get("message", "") in error.message for problem in problems)
    whole = "the score cannot be run as it is:"
    if error.code != "invalid_score":
        whole = "this cannot be done as it was asked:"
    message = whole if repeated else error.message
    first, *rest = message.splitlines() or [""]
    note(f"{_label('error', 'red')} {clean(first)}")
    for line in rest:
        note(clean(line))
    for problem in problems:
        note(f"  {clean(problem_line(problem))}")
    if error.hint:
        note(f"{_label('hint', 'cyan')}  {clean(error.hint)}")


def print_warnings(warnings: Iterable[str]) -> None:
    """One line each, on standard error."""
    for warning in warnings:
        note(f"{_label('warning', 'yellow')} {clean(' '.join(warning.split()))}")


def problem_line(problem: dict[str, Any]) -> str:
    """``file:line:column: message (hint)``, as editors and compilers write it."""
    keys = ("file", "line", "column")
    place = [str(problem[key]) for key in keys if problem.get(key) is not None]
    where = ":".join(place)
    path = f"{problem['path']}: " if problem.get("path") else ""
    hint = f" ({problem['hint']})" if problem.get("hint") else ""
    return f"{where + ': ' if where else ''}{path}{problem.get('message', '')}{hint}"


def _label(word: str, colour: str) -> str:
    return paint(f"{word}:", "bold", colour, stream=sys.stderr)
