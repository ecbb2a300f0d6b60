"""Completing jobs, sheets, schedules, groups, instruments and files in a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from marianne.cli.errors import CliError
from marianne.cli.session import Session

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

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


def complete_group(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The names of groups that begin so, likewise."""
    session = ctx.find_object(Session)
    if session is None:
        return []
    try:
        found = session.request("group.list", deadline=SECONDS)["groups"]
    except CliError:
        return []
    return [one["name"] for one in found if one["name"].startswith(incomplete)]


def complete_sheet(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The names of the sheets of the job that stands before; of those that have none that a shell
    can do without quotes, the numbers."""
    session, job = ctx.find_object(Session), ctx.params.get("job")
    if session is None or not job:
        return []
    try:
        found = session.request("job.status", {"job_id": job}, deadline=SECONDS)["sheets"]
    except CliError:
        return []
    words = [row["name"] if _is_plain(row["name"]) else str(row["num"]) for row in found]
    return [word for word in words if word.startswith(incomplete)]


def _is_plain(name: str) -> bool:
    return bool(name) and all(c.isalnum() or c in "_-.:/@+," for c in name)


def complete_instrument(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The names of instruments that begin so."""
    from marianne.cli.profiles import registry_of

    session = ctx.find_object(Session)
    if session is None:
        return []
    return [name for name in sorted(registry_of(session).entries) if name.startswith(incomplete)]


def complete_file(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """What the shell itself knows of files."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def complete_directory(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """What the shell itself knows of directories."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


job_argument = click.argument("job", shell_complete=complete_job)
optional_job_argument = click.argument("job", required=False, shell_complete=complete_job)
sheet_argument = click.argument("sheet", required=False, shell_complete=complete_sheet)
score_argument = click.argument("score", shell_complete=complete_file)
