"""Options of ``run`` that say which sheets run, how many at once, and where."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

_COMMA = re.compile(r",(?![^\[]*\])")
"""Between names; one in brackets belongs to the name of an instance."""


def sheet_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--only``, ``--from``, ``--until``, ``--jobs`` and ``--executor``; the verb gets the
    parameters of ``job.submit`` that they are as ``sheets``."""

    @wraps(function)
    def with_sheets(
        *args: Any,
        only: tuple[str, ...],
        start: str | None,
        until: str | None,
        at_once: int | None,
        executor: str | None,
        **kwargs: Any,
    ) -> Any:
        sheets = {
            **_first(start),
            "only": _words(only),
            "until_sheet": until,
            "max_concurrent": at_once,
            "executor": executor,
        }
        return function(*args, sheets=sheets, **kwargs)

    for add in (
        click.option(
            "--executor",
            metavar="NAME",
            help="Run them there, where the score's sheets and instruments say nothing else.",
        ),
        click.option(
            "--jobs",
            "-J",
            "at_once",
            type=click.IntRange(1, 1_000),
            metavar="N",
            help="Run at most N of its sheets at once, whatever the score says.",
        ),
        click.option(
            "--only",
            multiple=True,
            metavar="SHEETS",
            help="Run these alone: names, numbers, ranges (fetch,4,7-9).",
        ),
        click.option("--until", metavar="SHEET", help="End with this sheet."),
        click.option(
            "--start-sheet",
            "--from",
            "-s",
            "start",
            metavar="SHEET",
            help="Begin with this sheet, a number or a name.",
        ),
    ):
        with_sheets = add(with_sheets)
    return with_sheets


def _first(start: str | None) -> dict[str, Any]:
    if start is not None and start.isascii() and start.isdigit():
        if int(start) < 1:
            raise click.UsageError("--start-sheet: sheets are numbered from 1")
        return {"start_sheet": int(start), "from_sheet": None}
    return {"start_sheet": None, "from_sheet": start}


def _words(only: tuple[str, ...]) -> list[str]:
    found = [word.strip() for part in only for word in _COMMA.split(part)]
    if not all(found):
        raise click.UsageError("--only names sheets, as in: --only fetch,4,7-9")
    return found
