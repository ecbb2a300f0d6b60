"""``marianne modify JOB --config FILE``, ``marianne modify JOB --priority N``."""

from __future__ import annotations

import os
from typing import Any

import click

from marianne.cli.completing import complete_directory, job_argument
from marianne.cli.options import Verb, file_option, json_option
from marianne.cli.render.changes import print_changes
from marianne.cli.render.out import print_json, say
from marianne.cli.render.problems import print_warnings
from marianne.cli.session import Session
from marianne.cli.source import source


@click.command("modify", cls=Verb)
@job_argument
@file_option("The new score; - is standard input.")
@click.option(
    "--priority", type=click.IntRange(1, 10), help="Of one that waits its turn: 1 goes first."
)
@click.option(
    "--workspace",
    metavar="DIR",
    shell_complete=complete_directory,
    help="Where the sheets work from now on.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
@click.option("--resume", "-r", is_flag=True, help="Also one that a person has paused goes on.")
@json_option
@click.pass_obj
def command(
    session: Session,
    job: str,
    file: str | None,
    priority: int | None,
    workspace: str | None,
    dry_run: bool,
    resume: bool,
    as_json: bool,
) -> None:
    """Let a job go on by another score; completed sheets stay.

    A running job pauses first, so that its running sheets finish; one that a person has paused
    stays paused, but for --resume. Prints what changes. With
    --priority a job that was not let in yet gets another place in the queue, and nothing else.
    """
    if (file is None) is (priority is None):
        raise click.UsageError("give --config FILE, or --priority N alone")
    if file is None and (workspace is not None or dry_run or resume):
        raise click.UsageError("--priority is changed alone")
    params: dict[str, Any] = {"job_id": job, "priority": priority}
    if file is not None:
        params = {
            "job_id": job,
            **source(file),
            "workspace": workspace,
            "client_cwd": os.getcwd(),
            "dry_run": dry_run,
        }
        if resume:
            params["resume"] = True
    answer = session.request("job.modify", params, deadline=60.0)
    if as_json:
        print_json(answer)
        return
    print_warnings(answer.get("warnings") or [])
    print_changes(answer)
    say(f"{answer['job_id']}: {answer['message']}")
