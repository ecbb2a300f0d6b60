"""``marianne add -- COMMAND``."""

from __future__ import annotations

import os
from typing import Any

import click

from marianne.cli.beginning import begin_options
from marianne.cli.completing import complete_file
from marianne.cli.oneoff import argv_of, name_of, score_of
from marianne.cli.options import (
    Seconds,
    Verb,
    group_option,
    json_option,
    no_start_option,
    priority_option,
    workspace_option,
)
from marianne.cli.render.problems import print_warnings
from marianne.cli.session import Session
from marianne.cli.submitting import environment, submit
from marianne.cli.taken import name_it, to_the_end


@click.command("add", cls=Verb, context_settings={"allow_interspersed_args": False})
@click.argument(
    "command", nargs=-1, required=True, type=click.UNPROCESSED, shell_complete=complete_file
)
@click.option("--name", "-n", metavar="NAME", help="The job's name (default: the program's).")
@begin_options
@click.option(
    "--env", "-e", "added", multiple=True, metavar="K=V", help="Set it in the environment."
)
@workspace_option
@click.option(
    "--timeout", type=Seconds(), metavar="TIME", help="End the command after this time: it failed."
)
@click.option(
    "--retries", type=click.IntRange(0, 10_000), metavar="N", help="Try again so often if it fails."
)
@priority_option
@group_option
@click.option("--id", "job_id", metavar="ID", help="The job's id (default: its name).")
@click.option("--wait", "-w", is_flag=True, help="Return when it has ended, with its result.")
@click.option("--follow", "-f", "follow_it", is_flag=True, help="The same, showing the progress.")
@no_start_option
@json_option
@click.pass_obj
def command(
    session: Session,
    command: tuple[str, ...],
    name: str | None,
    begins: dict[str, Any],
    added: tuple[str, ...],
    workspace: str | None,
    timeout: float | None,
    retries: int | None,
    priority: int,
    group: str | None,
    job_id: str | None,
    wait: bool,
    follow_it: bool,
    no_start: bool,
    as_json: bool,
) -> int:
    """Run a command as a job of one sheet.

    COMMAND and its arguments are executed exactly as they are given, in this directory and with
    this environment; one argument alone is a line for bash: add 'sleep 5; echo done'. Options
    stand before COMMAND.
    """
    variables = dict(_pair(one) for one in added)
    params = {
        "config_path": None,
        "score": score_of(name or name_of(command), argv_of(command), timeout, retries),
        "workspace": workspace,
        "client_cwd": os.getcwd(),
        "id": job_id,
        "priority": priority,
        "group": group,
        "environment": {**environment(), **variables},
        "shared": workspace is None,
        **begins,
    }
    response = submit(session, params, may_start=not no_start)
    print_warnings(response["warnings"])
    if wait or follow_it:
        return to_the_end(session, response, follow_it, None, as_json)
    return name_it(response, as_json)


def _pair(text: str) -> tuple[str | bytes, str | bytes]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.UsageError(f"--env {text!r} is not NAME=VALUE")
    from marianne.environment import packable

    return next(iter(packable({name: value}).items()))
