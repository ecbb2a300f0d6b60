"""``marianne restart``."""

from __future__ import annotations

import time

import click

from marianne.cli.leaving import replace_conductor
from marianne.cli.options import Verb, json_option, timeout_option
from marianne.cli.render.out import print_json, say
from marianne.cli.session import Session


@click.command("restart", cls=Verb)
@timeout_option
@json_option
@click.pass_obj
def command(session: Session, timeout: float | None, as_json: bool) -> None:
    """Replace the conductor; running sheets go on.

    Returns when the new one serves. Starts one when none runs.
    """
    old = session.holder()
    until = time.monotonic() + (60.0 if timeout is None else timeout)
    new = replace_conductor(session, old, until)
    if as_json:
        print_json({"pid": new, "old_pid": old})
    elif old is None:
        say(f"no conductor was running; started one (pid {new})")
    else:
        say(f"conductor restarted (pid {old} → {new})")
