"""``marianne rate-limits``."""

from __future__ import annotations

import click

from marianne.cli.options import Verb, json_option
from marianne.cli.render.out import clean, print_json, say
from marianne.cli.session import Session


@click.command("rate-limits", cls=Verb)
@json_option
@click.pass_obj
def command(session: Session, as_json: bool) -> None:
    """Show which instruments refuse work, and for how long.

    Their sheets wait without using up retries; others are not slowed.
    """
    answer = session.request("daemon.rate_limits")
    if as_json:
        print_json(answer)
        return
    from marianne.cli.render.values import clock, duration

    for row in answer["limits"]:
        left, until = duration(row["seconds"]), clock(row["until"])
        say(f"{clean(row['key'])}: {left} more, until {until}")
    if not answer["limits"]:
        say("no instrument is rate limited")
