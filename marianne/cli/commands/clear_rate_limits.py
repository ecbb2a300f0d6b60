"""``marianne clear-rate-limits [INSTRUMENT]``."""

from __future__ import annotations

import click

from marianne.cli.completing import complete_instrument
from marianne.cli.options import Verb, json_option
from marianne.cli.profiles import profile_of, registry_of
from marianne.cli.render.out import clean, print_json, say
from marianne.cli.session import Session


@click.command("clear-rate-limits", cls=Verb)
@click.argument("instrument", required=False, shell_complete=complete_instrument)
@click.option("--instrument", "-i", "also", metavar="NAME", hidden=True)
@json_option
@click.pass_obj
def command(session: Session, instrument: str | None, also: str | None, as_json: bool) -> None:
    """End rate limits: what waits for them goes on at once.

    INSTRUMENT is a profile with all its models, or PROFILE/MODEL; one that there is not is an
    error (exit code 4). Without it: all limits.
    """
    name = also or instrument
    answer = session.request("daemon.clear_rate_limits", {"instrument": name})
    if name is not None and not answer["keys"] and (known := _known(session, name)) != name:
        answer = session.request("daemon.clear_rate_limits", {"instrument": known})
    if as_json:
        print_json(answer)
    elif answer["keys"]:
        say(f"cleared: {clean(', '.join(answer['keys']))}")
    else:
        say("nothing was rate limited")


def _known(session: Session, name: str) -> str:
    """The instrument under its first name; fails for one that there is not.

    Looked up where nothing was limited: a score's own instrument is known by its limit alone.
    """
    profile, slash, model = name.partition("/")
    return f"{profile_of(registry_of(session), profile).name}{slash}{model}"
