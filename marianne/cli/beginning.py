"""Options that say when a job begins: after other jobs, at a time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

import click

from marianne.cli.completing import complete_job
from marianne.cli.options import FloatType, Seconds

_ANY = ":any"
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


class Moment(FloatType):
    """A time: ``22:30`` (the next one), ``2026-11-28 06:00``, with a zone or in the local one, or
    ``+90m`` from now. Seconds since the epoch."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Reads it."""
        if isinstance(value, float):
            return value
        text = str(value).strip()
        if text.startswith("+"):
            return time.time() + Seconds().convert(text[1:], param, ctx)
        found = moment(text, datetime.now().astimezone())
        if found is None:
            self.fail(f"{value!r} is no time such as 22:30, '2026-11-28 06:00' or +90m", param, ctx)
        return found


def moment(text: str, now: datetime) -> float | None:
    """The time that is meant, in seconds since the epoch; None for what is none."""
    clock = _CLOCK.fullmatch(text)
    try:
        if clock is None:
            return datetime.fromisoformat(text).timestamp()
        hour, minute, second = (int(part or 0) for part in clock.groups())
        found = now.replace(tzinfo=None, hour=hour, minute=minute, second=second, microsecond=0)
    except (ValueError, OverflowError, OSError):
        return None
    if found.timestamp() <= now.timestamp():
        found += timedelta(days=1)  # on the clock: what a day is, the zone says
    return found.timestamp()


def begin_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--after`` and ``--at``; the verb gets the parameters of ``job.submit`` that they are
    as ``begins``."""

    @wraps(function)
    def with_begin(*args: Any, after: tuple[str, ...], at: float | None, **kwargs: Any) -> Any:
        begins = {
            "after": [job for job in after if not job.endswith(_ANY)],
            "after_any": [job.removesuffix(_ANY) for job in after if job.endswith(_ANY)],
            "at": at,
        }
        return function(*args, begins=begins, **kwargs)

    for add in (
        click.option(
            "--at", type=Moment(), metavar="TIME", help="Begin at this time: 22:30, +90m, a date."
        ),
        click.option(
            "--after",
            multiple=True,
            metavar="JOB",
            shell_complete=complete_job,
            help="Begin when JOB is completed (JOB:any: over, however it ended).",
        ),
    ):
        with_begin = add(with_begin)
    return with_begin
