"""Selecting jobs, the same for every verb: ids or unique prefixes, ``--all``, ``--status``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from marianne.cli import exit_codes
from marianne.cli.completing import complete_job
from marianne.cli.errors import CliError
from marianne.cli.render.out import note, print_json, say
from marianne.cli.render.problems import print_error

F = TypeVar("F", bound=Callable[..., Any])

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
    "statuses",
    multiple=True,
    type=click.Choice(STATUSES),
    metavar="STATUS",
    help="Jobs of this status (more than once: of any of them).",
)


def selection_options(function: F) -> F:
    """Adds ``JOB…``, ``--all`` and ``--status`` as ``jobs``, ``everything``, ``statuses``."""
    function = click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=complete_job)(
        function
    )
    function = click.option("--all", "everything", is_flag=True, help="All jobs.")(function)
    return status_option(function)


def selection(jobs: tuple[str, ...], everything: bool, statuses: tuple[str, ...]) -> dict[str, Any]:
    """The selection as the protocol writes it; selecting nothing is a usage error."""
    if not (jobs or everything or statuses):
        raise click.UsageError("name a job, or give --all or --status STATUS")
    return {"ids": list(jobs), "all": everything, "statuses": list(statuses)}


def describe(chosen: dict[str, Any], noun: str = "job") -> str:
    """The selection in words, for a question."""
    if chosen["ids"]:
        return ", ".join(chosen["ids"])
    statuses = " or ".join(chosen["statuses"])
    return f"all {statuses + ' ' if statuses else ''}{noun}s"


def confirm(question: str, yes: bool) -> None:
    """Asks on a terminal before something is destroyed; acts unasked when there is none."""
    if yes or not sys.stdin.isatty():
        return
    if not click.confirm(question, err=True):
        raise CliError("declined", "nothing was done")


def report(answer: dict[str, Any], done: str, as_json: bool) -> int:
    """Prints what became of each selected job; the exit code of the first that was refused.

    ``done`` says what was done with one, such as ``cancelled``. One job alone that was refused is
    raised as the error of the whole.
    """
    rows = answer["jobs"]
    refused = [row for row in rows if not row.get("ok")]
    if len(rows) == 1 and refused:
        raise _error(refused[0])
    if as_json:
        print_json(answer)
    else:
        for row in rows:
            if row.get("ok"):
                say(f"{row['job_id']}: {row.get('message') or done}")
            else:
                print_error(_error(row, named=True))
        if not rows:
            note("no job was selected")
    return _error(refused[0]).exit_code if refused else exit_codes.OK


def _error(row: dict[str, Any], named: bool = False) -> CliError:
    error = row.get("error") or {}
    message = error.get("message") or "refused"
    if named and row["job_id"] not in message:
        message = f"{row['job_id']}: {message}"
    return CliError(error.get("code") or "internal", message, error.get("hint"))
