"""``marianne metrics``."""

from __future__ import annotations

import click

from marianne.cli.options import Verb, json_option
from marianne.cli.render.out import print_json, say
from marianne.cli.session import Session
from marianne.metrics.exposition import exposition


@click.command("metrics", cls=Verb)
@json_option
@click.pass_obj
def command(session: Session, as_json: bool) -> None:
    """Print the conductor's figures, as Prometheus reads them.

    To have them served: metrics: {listen: 127.0.0.1:9464} in conductor.yaml.
    """
    answer = session.request("daemon.metrics")
    if as_json:
        print_json(answer["families"])
    else:
        say(exposition(answer["families"]).rstrip("\n"))
