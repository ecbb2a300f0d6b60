"""``marianne ready``."""

from __future__ import annotations

import click

from marianne.cli.exit_codes import FAILED, OK
from marianne.cli.options import Verb, json_option
from marianne.cli.render.facts import print_facts
from marianne.cli.render.out import print_json
from marianne.cli.session import Session


@click.command("ready", cls=Verb)
@json_option
@click.pass_obj
def command(session: Session, as_json: bool) -> int:
    """Ask whether the conductor takes work.

    Exit code 0: it does; 1: not now; 3: none runs.
    """
    readiness = session.request("daemon.ready")
    if as_json:
        print_json(readiness)
    else:
        print_facts(readiness)
    return OK if readiness.get("status") == "ready" else FAILED
