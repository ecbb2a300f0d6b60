"""Completing jobs, sheets, schedules, groups, instruments and files in a shell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from marianne.cli.errors import CliError
from marianne.cli.session import Session

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SECONDS = 0.5
"""How long a person who pressed the tab key may be kept."""


def _named(
    ctx: click.Context, incomplete: str, ask: Callable[[Session], Iterable[str]]
) -> list[str]:
    """Those of the names that begin so; none when no conductor answers at once."""
    session = ctx.find_object(Session)
    if session is None:
        return []
    try:
        return [name for name in ask(session) if name.startswith(incomplete)]
    except CliError:
        return []


def complete_job(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The ids of the newest jobs."""

    def ask(session: Session) -> list[str]:
        page = session.request("job.list", {"all": True, "limit": 1_000}, deadline=SECONDS)
        return [job["job_id"] for job in page["jobs"]]

    return _named(ctx, incomplete, ask)


def complete_schedule(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The names of schedules."""

    def ask(session: Session) -> list[str]:
        found = session.request("schedule.list", deadline=SECONDS)["schedules"]
        return [one["name"] for one in found]

    return _named(ctx, incomplete, ask)


def complete_group(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The names of groups."""

    def ask(session: Session) -> list[str]:
        return [one["name"] for one in session.request("group.list", deadline=SECONDS)["groups"]]

    return _named(ctx, incomplete, ask)


def complete_sheet(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The names of the sheets of the job that stands before; of those that have none that a shell
    can do without quotes, the numbers."""
    job = ctx.params.get("job")

    def ask(session: Session) -> list[str]:
        found = session.request("job.status", {"job_id": job}, deadline=SECONDS)["sheets"]
        return [row["name"] if _is_plain(row["name"]) else str(row["num"]) for row in found]

    return _named(ctx, incomplete, ask) if job else []


def _is_plain(name: str) -> bool:
    return bool(name) and all(c.isalnum() or c in "_-.:/@+," for c in name)


def complete_instrument(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The names of instruments."""
    from marianne.cli.profiles import registry_of

    return _named(ctx, incomplete, lambda session: sorted(registry_of(session).entries))


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
