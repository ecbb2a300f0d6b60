"""``marianne conductor-status``."""

from __future__ import annotations

import click

from marianne.cli.options import Verb, json_option
from marianne.cli.render.out import print_json
from marianne.cli.session import Session


@click.command("conductor-status", cls=Verb)
@json_option
@click.pass_obj
def command(session: Session, as_json: bool) -> None:
    """Show the conductor: process, jobs, memory, pressure.

    Exit code 3 when none runs.
    """
    status = session.request("daemon.status")
    if as_json:
        print_json(status)
        return
    from marianne.cli.render.conductor import print_conductor

    print_conductor(status)
