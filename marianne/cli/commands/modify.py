"""``marianne modify JOB --config FILE``."""

from __future__ import annotations

import os

import click

from marianne.cli.completing import complete_directory, complete_file, job_argument
from marianne.cli.options import Verb, json_option
from marianne.cli.render.changes import print_changes
from marianne.cli.render.out import print_json, say
from marianne.cli.render.problems import print_warnings
from marianne.cli.session import Session
from marianne.cli.source import source


@click.command("modify", cls=Verb)
@job_argument
@click.option(
    "--config",
    "-c",
    "file",
    required=True,
    metavar="FILE",
    shell_complete=complete_file,
    help="The new score; - is standard input.",
)
@click.option(
    "--workspace",
    metavar="DIR",
    shell_complete=complete_directory,
    help="Where the sheets work from now on.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
@click.option("--resume", "-r", is_flag=True, expose_value=False, help="What is done anyway.")
@json_option
@click.pass_obj
def command(
    session: Session, job: str, file: str, workspace: str | None, dry_run: bool, as_json: bool
) -> None:
    """Let a job go on by another score; completed sheets stay.

    A running job pauses first, so that its running sheets finish. Prints what changes.
    """
    params = {
        "job_id": job,
        **source(file),
        "workspace": workspace,
        "client_cwd": os.getcwd(),
        "dry_run": dry_run,
    }
    answer = session.request("job.modify", params, deadline=60.0)
    if as_json:
        print_json(answer)
        return
    print_warnings(answer.get("warnings") or [])
    print_changes(answer)
    say(f"{answer['job_id']}: {answer['message']}")
