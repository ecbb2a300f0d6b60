"""``marianne clear-rate-limits [INSTRUMENT]``."""

from __future__ import annotations

import click

from marianne.cli.options import Verb, json_option
from marianne.cli.render.out import clean, print_json, say
from marianne.cli.session import Session


@click.command("clear-rate-limits", cls=Verb)
@click.argument("instrument", required=False)
@click.option("--instrument", "-i", "also", metavar="NAME", hidden=True)
@json_option
@click.pass_obj
def command(session: Session, instrument: str | None, also: str | None, as_json: bool) -> None:
    """End rate limits: what waits for them goes on at once.

    INSTRUMENT is a profile with all its models, or PROFILE/MODEL. Without it: all limits.
    """
    answer = session.request("daemon.clear_rate_limits", {"instrument": also or instrument})
    if as_json:
        print_json(answer)
    elif answer["keys"]:
        say(f"cleared: {clean(', '.join(answer['keys']))}")
    else:
        say("nothing was rate limited")
