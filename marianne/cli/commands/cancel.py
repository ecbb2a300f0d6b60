"""``marianne cancel JOB…``."""

from __future__ import annotations

import sys

import click

from marianne.cli.errors import CliError
from marianne.cli.jobs import exact_id
from marianne.cli.options import Verb, json_option, yes_option
from marianne.cli.selection import Chosen, confirm, report, selection_options
from marianne.cli.session import Session

CANCEL_SECONDS = 120.0
"""Covers the grace that sheets get, the sweep, and many jobs at once."""


@click.command("cancel", cls=Verb)
@selection_options
@yes_option
@json_option
@click.pass_obj
def command(session: Session, chosen: Chosen, yes: bool, as_json: bool) -> int:
    """End jobs and all their processes.

    Returns when no process of them is left. Sheets that say `after_cancel` run before that; a
    second cancel ends them. A cancelled job can be resumed.
    """
    params = chosen.to_map()
    session.need_conductor()
    if not yes and sys.stdin.isatty():
        confirm(_question(session, chosen), yes)
    try:
        answer = session.request("job.cancel", params, deadline=CANCEL_SECONDS)
    except CliError as error:
        if error.code == "deadline":
            error.hint = "what is still to be done: marianne explain JOB; a second cancel ends it"
        raise
    return report(answer, as_json)


def _question(session: Session, chosen: Chosen) -> str:
    """Names what will end, and the newest job of a score where an older one's id is its name."""
    told = [f"Cancel {chosen.describe('active job')} and end what runs?"]
    for job in chosen.jobs:
        try:
            newest = exact_id(session, job, newest=True)
            if newest != job and exact_id(session, job) == job:
                told.insert(0, f"The newest job of {job} is {newest}.")
        except CliError:
            continue  # the request itself says what is wrong
    return " ".join(told)
