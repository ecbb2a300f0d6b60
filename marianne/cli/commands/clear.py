"""``marianne clear [JOB…]``."""

from __future__ import annotations

import click

from marianne.cli.jobs import TERMINAL
from marianne.cli.options import Seconds, Verb, json_option, yes_option
from marianne.cli.render.out import print_json, say
from marianne.cli.selection import Chosen, confirm, selection_options
from marianne.cli.session import Session


@click.command("clear", cls=Verb)
@selection_options
@click.option(
    "--older-than",
    "-o",
    type=Seconds(),
    metavar="TIME",
    help="Only jobs that ended longer ago, as 7d.",
)
@yes_option
@json_option
@click.pass_obj
def command(
    session: Session,
    chosen: Chosen,
    older_than: float | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Forget jobs that have ended.

    Alone it means all that have ended. Deletes their records and captured output, never their
    workspaces. An id that was used is not used again.
    """
    if wrong := [status for status in chosen.statuses if status not in TERMINAL]:
        raise click.UsageError(f"a job that is {wrong[0]} has not ended")
    session.need_conductor()
    confirm(f"Forget {chosen.describe('ended job')} and their output?", yes)
    answer = session.request(
        "job.clear",
        {
            "ids": list(chosen.jobs) or None,
            "statuses": list(chosen.statuses) or None,
            "older_than_seconds": older_than,
        },
        deadline=60.0,
    )
    if as_json:
        print_json(answer)
    else:
        say(f"{answer['deleted']} job{'' if answer['deleted'] == 1 else 's'} forgotten")
