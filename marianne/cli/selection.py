"""Selecting jobs, the same for every verb: ids or unique prefixes, ``--all``, ``--status``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from marianne.cli import exit_codes
from marianne.cli.completing import complete_job
from marianne.cli.errors import CliError
from marianne.cli.render.out import clean, note, print_json, say
from marianne.cli.render.problems import print_error

if TYPE_CHECKING:
    from marianne.replies.changes import NotDone, Several

STATUSES = (
    "queued",
    "pending",
    "running",
    "pausing",
    "paused",
    "completed",
    "failed",
    "cancelling",
    "cancelled",
)

status_option = click.option(
    "--status",
    "-s",
    "statuses",
    multiple=True,
    type=click.Choice(STATUSES),
    metavar="STATUS",
    help="Jobs of this status (more than once: of any of them).",
)


class Chosen(NamedTuple):
    """The jobs that a person named."""

    jobs: tuple[str, ...]
    everything: bool
    statuses: tuple[str, ...]

    def to_map(self) -> dict[str, Any]:
        """As the protocol writes it; selecting nothing is a usage error."""
        if not any(self):
            raise click.UsageError("name a job, or give --all or --status STATUS")
        return {"ids": list(self.jobs), "all": self.everything, "statuses": list(self.statuses)}

    def describe(self, noun: str) -> str:
        """In words, for a question."""
        if self.jobs:
            return ", ".join(self.jobs)
        statuses = " or ".join(self.statuses)
        return f"all {statuses + ' ' if statuses else ''}{noun}s"


def selection_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``JOB…``, ``--all`` and ``--status``; the verb gets them as ``chosen``."""

    @wraps(function)
    def with_chosen(
        *args: Any,
        jobs: tuple[str, ...],
        everything: bool,
        statuses: tuple[str, ...],
        **kwargs: Any,
    ) -> Any:
        return function(*args, chosen=Chosen(jobs, everything, statuses), **kwargs)

    for add in (
        click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=complete_job),
        click.option("--all", "everything", is_flag=True, help="All jobs."),
        status_option,
    ):
        with_chosen = add(with_chosen)
    return with_chosen


def confirm(question: str, yes: bool) -> None:
    """Asks on a terminal before something is destroyed; acts unasked when there is none."""
    if yes or not sys.stdin.isatty():
        return
    if not click.confirm(clean(question), err=True):
        raise CliError("declined", "nothing was done")


def report(answer: Several[Any], as_json: bool, done: str | None = None) -> int:
    """Prints what became of each selected job; the exit code of the first that was refused.

    ``done`` says what was done with one, if its status does not. One job alone that was refused is
    raised as the error of the whole.
    """
    rows: list[Any] = answer["jobs"]
    refused = [row for row in rows if not row["ok"]]
    if len(rows) == 1 and refused:
        raise _error(refused[0])
    if as_json:
        print_json(answer)
    else:
        for row in rows:
            if row["ok"]:
                say(f"{row['job_id']}: {row.get('message') or done or row['status']}")
            else:
                print_error(_error(row, named=True))
        if not rows:
            note("no job was selected")
    return _error(refused[0]).exit_code if refused else exit_codes.OK


def _error(row: NotDone, named: bool = False) -> CliError:
    error = row["error"]
    message = error["message"]
    if named and row["job_id"] not in message:
        message = f"{row['job_id']}: {message}"
    return CliError(error["code"], message, error["hint"])
