"""``marianne executors``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from marianne.cli.options import Verb, json_option
from marianne.cli.render.out import print_json, say
from marianne.cli.session import Session

if TYPE_CHECKING:
    from marianne.replies.executors import Executor

CHECK_SECONDS = 30.0
"""The longest that nodes are waited for."""


@click.command("executors", cls=Verb)
@click.option("--check", is_flag=True, help="Have every node run a program that does nothing.")
@click.option("--drain", metavar="NODE", help="Give this node no more sheets; what runs goes on.")
@click.option("--resume", metavar="NODE", help="Give this node sheets again.")
@json_option
@click.pass_obj
def command(
    session: Session, check: bool, drain: str | None, resume: str | None, as_json: bool
) -> None:
    """Show where sheets run: the clusters, their nodes, who has taken them.

    With --check the exit code is 1 when a node did not run what it was asked to.
    """
    if sum((check, drain is not None, resume is not None)) > 1:
        raise click.UsageError("--check, --drain and --resume: one of them")
    node = drain if drain is not None else resume
    if node is not None:
        answer = session.request("daemon.drain_node", {"node": node, "draining": resume is None})
        if as_json:
            print_json(answer)
        else:
            words = "gets no more sheets" if answer["draining"] else "gets sheets again"
            say(f"node {node} {words}")
        return
    found = session.request("daemon.executors", {"check": check}, deadline=CHECK_SECONDS)
    if as_json:
        print_json(found)
    else:
        from marianne.cli.render.executors import print_executors

        print_executors(found, check=check)
    if check and not all(map(_well, found)):
        raise SystemExit(1)


def _well(executor: Executor) -> bool:
    checked = [node["checked"] for node in executor["nodes"]]
    return executor["why"] is None and all(one is not None and one["ok"] for one in checked)
