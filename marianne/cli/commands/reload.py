"""``marianne reload``."""

from __future__ import annotations

import click

from marianne.cli.options import Verb, json_option
from marianne.cli.render.out import print_json, say
from marianne.cli.render.problems import print_warnings
from marianne.cli.session import Session


@click.command("reload", cls=Verb)
@json_option
@click.pass_obj
def command(session: Session, as_json: bool) -> None:
    """Have the conductor read its configuration again.

    What can change at once does; other changes are named and take effect at a restart. Exit code 2
    when something does not fit: then nothing is changed.
    """
    answer = session.request("daemon.reload")
    if as_json:
        print_json(answer)
        return
    print_warnings(answer["warnings"])
    say("applied: " + (", ".join(answer["applied"]) or "nothing has changed"))
    if answer["restart_needed"]:
        say("at a restart: " + ", ".join(answer["restart_needed"]))
