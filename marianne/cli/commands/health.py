"""``marianne health``."""

from __future__ import annotations

import click

from marianne.cli.exit_codes import FAILED, OK
from marianne.cli.options import Verb, json_option
from marianne.cli.render.facts import print_facts
from marianne.cli.render.out import print_json
from marianne.cli.session import Session


@click.command("health", cls=Verb)
@json_option
@click.pass_obj
def command(session: Session, as_json: bool) -> int:
    """Ask whether the conductor lives.

    Exit code 0: it answers; 3: none runs; 75: it does not answer.
    """
    health = session.request("daemon.health")
    if as_json:
        print_json(health)
    else:
        print_facts(health)
    return OK if health.get("status") == "ok" else FAILED
