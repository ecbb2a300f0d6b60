"""``marianne resume JOB…``."""

from __future__ import annotations

import os
from typing import Any

import click

from marianne.cli.options import Verb, file_option, json_option
from marianne.cli.selection import Chosen, report, selection_options
from marianne.cli.session import Session


@click.command("resume", cls=Verb)
@selection_options
@file_option("Go on by this score (of one job).")
@click.option("--no-reload", "-r", is_flag=True, help="Do not read a changed score file again.")
@json_option
@click.pass_obj
def command(
    session: Session, chosen: Chosen, file: str | None, no_reload: bool, as_json: bool
) -> int:
    """Let a paused, failed or cancelled job go on.

    Sheets that have completed do not run again. A score whose file has changed is read again.
    """
    params: dict[str, Any] = {**chosen.to_map(), "no_reload": no_reload}
    if file is not None:
        params |= {"config_path": os.path.abspath(file), "client_cwd": os.getcwd()}
    answer = session.request("job.resume", params, deadline=60.0)
    return report(answer, as_json, "resumed")
