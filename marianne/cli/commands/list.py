"""``marianne list``."""

from __future__ import annotations

import click

from marianne.cli import jobs
from marianne.cli.options import Verb, json_option
from marianne.cli.render.out import note, print_json
from marianne.cli.selection import status_option
from marianne.cli.session import Session


@click.command("list", cls=Verb)
@click.option("--all", "-a", "everything", is_flag=True, help="Jobs that have ended too.")
@status_option
@click.option("--score", metavar="SCORE", help="Of this score, a name or a file, also ended ones.")
@click.option(
    "--limit",
    "-l",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    metavar="N",
    help="At most N jobs; 0 is no limit.",
)
@json_option
@click.pass_obj
def command(
    session: Session,
    everything: bool,
    statuses: tuple[str, ...],
    score: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List jobs.

    Shows those that are active; with --all those that have ended too. The newest come first. Where
    no conductor runs they are as the last one left them.
    """
    everything = everything or score is not None
    found = jobs.list_jobs(
        session, everything=everything, statuses=statuses, score=score, limit=limit
    )
    if as_json:
        print_json(found)
        return
    if not found:
        note("no jobs" if everything or statuses else "no active jobs (ended ones: --all)")
        return
    from marianne.cli.render.jobs import print_jobs

    print_jobs(found)
    if limit and len(found) == limit:
        note(f"({limit} jobs shown; more with --limit)")
