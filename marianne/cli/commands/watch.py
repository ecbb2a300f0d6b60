"""``marianne watch SCORE [PATH…]``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from marianne.cli.errors import CliError
from marianne.cli.options import (
    Seconds,
    Verb,
    json_option,
    no_start_option,
    priority_option,
    workspace_option,
)
from marianne.cli.session import Session
from marianne.cli.source import source
from marianne.cli.submitting import environment
from marianne.cli.variables import param_file_option, parse_variables, var_option

if TYPE_CHECKING:
    from marianne.cli.repeating import Overlap


@click.command("watch", cls=Verb)
@click.argument("score", type=click.Path())
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path())
@click.option(
    "--debounce",
    type=Seconds(),
    default="500ms",
    show_default=True,
    metavar="TIME",
    help="How long nothing may change until it runs.",
)
@click.option(
    "--overlap",
    type=click.Choice(["queue", "skip", "replace"]),
    default="queue",
    show_default=True,
    help="At a change while the job runs: one job after it, no job, or one in its place.",
)
@click.option("--postpone", is_flag=True, help="Run at the first change, not at once.")
@var_option
@param_file_option
@workspace_option
@priority_option
@no_start_option
@json_option
@click.pass_obj
def command(
    session: Session,
    score: str,
    paths: tuple[str, ...],
    debounce: float,
    overlap: Overlap,
    postpone: bool,
    variables: tuple[str, ...],
    param_files: tuple[str, ...],
    workspace: str | None,
    priority: int,
    no_start: bool,
    as_json: bool,
) -> None:
    """Run a score, and again whenever files change.

    Watches the score and each PATH (a directory with all below it), without any the score's
    directory. What happens in the job's workspace counts only below a PATH that lies in it. Ctrl-C
    ends the watch, never a job.
    """
    from marianne.cli.changes import Watched
    from marianne.cli.repeating import Repeating

    read = source(score)
    if read["config_path"] is None:
        raise CliError("usage", f"{score!r} cannot be watched", "give the path of a file")
    if not 0 < debounce <= 3600:
        raise click.UsageError("--debounce is more than nothing and at most an hour")
    watched = Watched.of(read["config_path"], paths)
    params = {
        **read,
        "client_cwd": os.getcwd(),
        "workspace": workspace,
        "variables": parse_variables(variables, param_files),
        "priority": priority,
        "environment": environment(),
    }
    repeating = Repeating(session, params, overlap, not no_start, as_json)
    repeating.play(watched, debounce, at_once=not postpone)
