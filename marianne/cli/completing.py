"""Completing the ids of jobs and the names of schedules in a shell."""

from __future__ import annotations

import click

from marianne.cli.errors import CliError
from marianne.cli.session import Session

SECONDS = 0.5
"""How long a person who pressed the tab key may be kept."""


def complete_job(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The ids of the newest jobs that begin so; none when no conductor answers at once."""
    session = ctx.find_object(Session)
    if session is None:
        return []
    try:
        page = session.request("job.list", {"all": True, "limit": 1_000}, deadline=SECONDS)
    except CliError:
        return []
    return [job["job_id"] for job in page["jobs"] if job["job_id"].startswith(incomplete)]


def complete_schedule(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The names of schedules that begin so, likewise."""
    session = ctx.find_object(Session)
    if session is None:
        return []
    try:
        found = session.request("schedule.list", deadline=SECONDS)["schedules"]
    except CliError:
        return []
    return [one["name"] for one in found if one["name"].startswith(incomplete)]


job_argument = click.argument("job", shell_complete=complete_job)
optional_job_argument = click.argument("job", required=False, shell_complete=complete_job)
