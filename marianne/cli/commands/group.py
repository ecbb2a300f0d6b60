"""``marianne group add|list|remove``."""

from __future__ import annotations

import click

from marianne.cli.completing import complete_group
from marianne.cli.options import VerbGroup, json_option
from marianne.cli.render.out import note, print_json, say
from marianne.cli.session import Session


@click.group("group", cls=VerbGroup)
def command() -> None:
    """Let only so many jobs of a group run at once.

    A job is put into a group when it is submitted: run --group, add --group. The limit of all jobs
    (max_concurrent_jobs) holds beside that of the group.
    """


@command.command("add")
@click.argument("name", shell_complete=complete_group)
@click.option(
    "--parallel", "-p", type=click.IntRange(1, 1_000), default=1, show_default=True, metavar="N"
)
@json_option
@click.pass_obj
def add(session: Session, name: str, parallel: int, as_json: bool) -> None:
    """Make a group, or give it another limit: N jobs of it run at once."""
    answer = session.request("group.add", {"name": name, "parallel": parallel})
    if as_json:
        print_json(answer)
    else:
        say(f"{answer['name']}: {answer['parallel']} at once")


@command.command("list")
@json_option
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """List the groups: how many jobs may run, run and wait."""
    found = session.request("group.list")["groups"]
    if as_json:
        print_json(found)
    elif not found:
        note("no groups (add one with: marianne group add NAME --parallel N)")
    else:
        from marianne.cli.render.table import Cell, print_table

        rows = [
            (Cell(one["name"], ("bold",)), one["parallel"], one["running"], one["waiting"])
            for one in found
        ]
        print_table(("GROUP", "PARALLEL", "RUNNING", "WAITING"), rows, right=(1, 2, 3))


@command.command("remove")
@click.argument("name", shell_complete=complete_group)
@json_option
@click.pass_obj
def remove(session: Session, name: str, as_json: bool) -> None:
    """Forget a group that has no jobs any more."""
    answer = session.request("group.remove", {"name": name})
    if as_json:
        print_json(answer)
    else:
        say(f"{answer['name']}: removed")
