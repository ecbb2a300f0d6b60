"""``marianne resume JOB…``."""

from __future__ import annotations

import os

import click

from marianne.cli.options import Verb, json_option
from marianne.cli.selection import report, selection, selection_options
from marianne.cli.session import Session


@click.command("resume", cls=Verb)
@selection_options
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Go on with this score; sheets that have completed stay so.",
)
@click.option("--no-reload", is_flag=True, help="Do not read the score file again.")
@json_option
@click.pass_obj
def command(
    session: Session,
    jobs: tuple[str, ...],
    everything: bool,
    statuses: tuple[str, ...],
    config: str | None,
    no_reload: bool,
    as_json: bool,
) -> int:
    """Let a paused, failed or cancelled job go on.

    Sheets that have completed do not run again.
    """
    chosen = selection(jobs, everything, statuses)
    if config is not None and (len(jobs) != 1 or everything or statuses):
        raise click.UsageError("--config goes with one job")
    params = {
        **chosen,
        "config_path": os.path.abspath(config) if config else None,
        "no_reload": no_reload,
    }
    return report(session.request("job.resume", params, deadline=60.0), "resumed", as_json)
