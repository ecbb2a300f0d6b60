"""``marianne tree``."""

from __future__ import annotations

import click

from marianne.cli.options import Verb, json_option
from marianne.cli.render.out import print_json
from marianne.cli.session import Session


@click.command("tree", cls=Verb)
@json_option
@click.pass_obj
def command(session: Session, as_json: bool) -> None:
    """Show the supervision tree, live.

    For each actor its state, restarts, waiting messages and last crash.
    """
    nodes = session.request("daemon.tree")
    if as_json:
        print_json(nodes)
        return
    from marianne.cli.render.tree import print_tree

    print_tree(nodes)
