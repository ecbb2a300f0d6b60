"""``marianne run SCORE``."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import click

from marianne.cli.beginning import begin_options
from marianne.cli.choosing import sheet_options
from marianne.cli.completing import score_argument
from marianne.cli.exit_codes import OK
from marianne.cli.options import (
    Verb,
    fresh_option,
    group_option,
    json_option,
    no_start_option,
    output_option,
    priority_option,
    timeout_option,
    workspace_option,
)
from marianne.cli.render.out import print_json
from marianne.cli.render.problems import print_warnings
from marianne.cli.session import Session
from marianne.cli.source import source
from marianne.cli.submitting import environment, submit
from marianne.cli.taken import name_it, to_the_end
from marianne.cli.variables import param_file_option, parse_variables, var_option

if TYPE_CHECKING:
    from marianne.replies.changes import Submitted


@click.command("run", cls=Verb)
@score_argument
@click.option("--wait", "-w", is_flag=True, help="Return when the job has ended, with its result.")
@click.option("--follow", "-f", "follow_it", is_flag=True, help="The same, showing the progress.")
@output_option
@timeout_option
@click.option("--id", "job_id", metavar="ID", help="The job's id (default: the score's name).")
@workspace_option
@var_option
@param_file_option
@priority_option
@group_option
@fresh_option
@sheet_options
@begin_options
@click.option(
    "--dry-run", "-n", is_flag=True, help="Show each sheet as it will be executed; run nothing."
)
@click.option("--local", is_flag=True, help="Run it in the foreground, by a conductor of its own.")
@no_start_option
@json_option
@click.pass_obj
def command(
    session: Session,
    score: str,
    wait: bool,
    follow_it: bool,
    output: bool,
    timeout: float | None,
    job_id: str | None,
    workspace: str | None,
    variables: tuple[str, ...],
    param_files: tuple[str, ...],
    priority: int,
    group: str | None,
    fresh: bool,
    sheets: dict[str, Any],
    begins: dict[str, Any],
    dry_run: bool,
    local: bool,
    no_start: bool,
    as_json: bool,
) -> int:
    """Run a score: submit it, and wait for it or follow it if asked.

    SCORE is a file, or - for standard input. Starts a conductor in the background when none runs.
    The job runs with this command's environment. Ctrl-C while waiting detaches; the job goes on.
    """
    if output and as_json:
        raise click.UsageError("--output prints lines, --json objects: choose one")
    follow_it = follow_it or output
    until = None if timeout is None else time.monotonic() + timeout
    params = {
        **source(score, elsewhere=session.is_elsewhere),
        "workspace": workspace,
        "client_cwd": os.getcwd(),
        "id": job_id,
        "variables": parse_variables(variables, param_files),
        "priority": priority,
        "group": group,
        "fresh": fresh,
        **sheets,
        **begins,
        "dry_run": dry_run,
        "environment": environment(),
        "self_healing": False,
        "self_healing_auto_confirm": False,
        "chain_depth": None,
    }
    if local and timeout is not None:
        raise click.UsageError("--timeout ends a wait; --local is the job itself")
    if local and (group or any(begins.values())):
        raise click.UsageError("--after, --at and --group are a conductor's: --local begins now")
    if local:
        return _by_itself(session, params, follow_it, output, as_json)
    response = submit(session, params, may_start=not no_start)
    print_warnings(response["warnings"])
    if dry_run:
        return _show_plan(response, as_json)
    if not (wait or follow_it or timeout is not None):
        return name_it(response, as_json)
    return to_the_end(session, response, follow_it, until, as_json, output=output)


def _by_itself(
    session: Session, params: dict[str, Any], follow_it: bool, output: bool, as_json: bool
) -> int:
    from marianne.cli.local import plan_local, run_local

    if params["dry_run"]:
        planned = plan_local(params, session.home)
        print_warnings(planned["warnings"])
        return _show_plan(planned, as_json)
    return run_local(session, params, follow_it=follow_it, output=output, as_json=as_json)


def _show_plan(response: Submitted, as_json: bool) -> int:
    if as_json:
        print_json(response)
    else:
        from marianne.cli.render.plan import print_plan

        print_plan(response["plan"], "dry run, nothing was started")
    return OK
