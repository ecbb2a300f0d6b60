"""``marianne resume JOB…``."""

from __future__ import annotations

import click

from marianne.cli.options import Verb, json_option
from marianne.cli.selection import Chosen, report, selection_options
from marianne.cli.session import Session


@click.command("resume", cls=Verb)
@selection_options
@json_option
@click.pass_obj
def command(session: Session, chosen: Chosen, as_json: bool) -> int:
    """Let a paused, failed or cancelled job go on.

    Sheets that have completed do not run again.
    """
    answer = session.request("job.resume", chosen.to_map(), deadline=60.0)
    return report(answer, "resumed", as_json)
