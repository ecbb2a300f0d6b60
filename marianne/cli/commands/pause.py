"""``marianne pause JOB…``."""

from __future__ import annotations

import click

from marianne.cli.options import Verb, json_option
from marianne.cli.selection import Chosen, report, selection_options
from marianne.cli.session import Session


@click.command("pause", cls=Verb)
@selection_options
@json_option
@click.pass_obj
def command(session: Session, chosen: Chosen, as_json: bool) -> int:
    """Start no more sheets of a job; running ones finish.

    The job stays paused, also over a restart of the conductor, until it is resumed.
    """
    answer = session.request("job.pause", chosen.to_map(), deadline=30.0)
    return report(answer, "pausing", as_json)
