"""``marianne logs``."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from heapq import merge
from typing import Any

import click

from marianne.cli.beginning import moment
from marianne.cli.completing import complete_job
from marianne.cli.log_files import Tail, put_away, spoken
from marianne.cli.options import FloatType, Seconds, Verb, json_option
from marianne.cli.render.log import LEVELS, fields_of, print_log_line
from marianne.cli.render.out import note, say
from marianne.cli.render.values import parse_time
from marianne.cli.session import Session
from marianne.home import Home

LOOK_SECONDS = 0.25
LINES = 50

Choice = Callable[[str], bool]


class Since(FloatType):
    """A time that has been: ``22:30`` (the last one), ``2026-11-28 06:00``, or ``90m`` ago."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Reads it as seconds since the epoch."""
        found = moment(str(value).strip(), datetime.now().astimezone() - timedelta(days=1))
        return found if found is not None else time.time() - Seconds().convert(value, param, ctx)


@click.command("logs", cls=Verb)
@click.option("--follow", "-f", is_flag=True, help="Go on with what is written.")
@click.option(
    "--lines",
    "-n",
    type=click.IntRange(min=0),
    metavar="N",
    help=f"The last N of what is shown.  [default: {LINES}; all with --since]",
)
@click.option(
    "--level", "-l", type=click.Choice(LEVELS), default="debug", help="The least that is shown."
)
@click.option(
    "--since", type=Since(), metavar="TIME", help="From then on: 90m (ago), 22:30, a date."
)
@click.option("--job", metavar="JOB", shell_complete=complete_job, help="Lines of this job.")
@json_option
@click.pass_obj
def command(
    session: Session,
    follow: bool,
    lines: int | None,
    level: str,
    since: float | None,
    job: str | None,
    as_json: bool,
) -> None:
    """Print the conductor's log.

    With what its heart says of it. Reads the files themselves, so it works when no conductor runs.
    With --json the lines as they are: one object each.
    """
    if not session.home.log.exists():
        note(f"no log yet: {session.home.log}")
        if not follow:
            return
    if lines is None and since is None:
        lines = LINES
    chosen = _choice(LEVELS[: LEVELS.index(level)], since, job)
    show = say if as_json else print_log_line
    with closing(_found(session.home, lines, chosen, follow)) as found:
        for line in found:
            show(line)
            if follow:
                sys.stdout.flush()


def _choice(hidden: tuple[str, ...], since: float | None, job: str | None) -> Choice:
    def chosen(line: str) -> bool:
        fields = fields_of(line)
        if fields is None:
            return job is None and since is None
        if job is not None and fields.get("job_id") != job:
            return False
        when = parse_time(fields.get("ts")) if since is not None else None
        return fields.get("level") not in hidden and (since is None or (when or 0.0) >= since)

    return chosen


def _found(
    home: Home, number: int | None, chosen: Choice, follow: bool
) -> Generator[str, None, None]:
    """The last ``number`` lines that are chosen; then those that come."""
    log, words = Tail(home.log), Tail(home.errors)
    try:
        yield from _past(home, log, words, number, chosen)
        while follow:
            came = False
            for line in _together(log.new(), spoken(words.new())):
                came = True
                if chosen(line):
                    yield line
            if not came:
                time.sleep(LOOK_SECONDS)
    finally:
        log.close()
        words.close()


def _past(home: Home, log: Tail, words: Tail, number: int | None, chosen: Choice) -> Iterable[str]:
    found = deque(filter(chosen, log.new()), maxlen=number)
    for lines in put_away(home.log, log.read):
        if number is not None and len(found) >= number:
            break
        found = deque((*filter(chosen, lines), *found), maxlen=number)
    said = filter(chosen, spoken(words.new()))
    return deque(_together(found, said), maxlen=number)


def _together(log: Iterable[str], words: Iterable[str]) -> Iterable[str]:
    """Lines in the order of their times; one without a time stays behind the one before it."""
    return (line for _, line in merge(_timed(log), _timed(words), key=lambda pair: pair[0]))


def _timed(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    when = ""
    for line in lines:
        fields = fields_of(line)
        when = max(when, str((fields or {}).get("ts", "")))
        yield when, line
