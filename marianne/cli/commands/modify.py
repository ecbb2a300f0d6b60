"""``marianne modify JOB --config FILE``."""

from __future__ import annotations

import os

import click

from marianne.cli.completing import job_argument
from marianne.cli.exit_codes import FAILED, OK
from marianne.cli.options import Verb, json_option
from marianne.cli.render.changes import print_changes
from marianne.cli.render.out import print_json, say
from marianne.cli.render.problems import print_warnings
from marianne.cli.selection import report
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
    help="The new score; - is standard input.",
)
@click.option("--workspace", metavar="DIR", help="Where the sheets work from now on.")
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
@click.option("--resume", "-r", is_flag=True, help="Let a job that is paused go on at once, too.")
@json_option
@click.pass_obj
def command(
    session: Session,
    job: str,
    file: str,
    workspace: str | None,
    dry_run: bool,
    resume: bool,
    as_json: bool,
) -> int:
    """Let a job go on by another score; completed sheets stay.

    A running job pauses first, so that its running sheets finish, and goes on by itself. One that
    was paused stays so without --resume. Prints what changes.
    """
    params = {
        "job_id": job,
        **source(file),
        "workspace": workspace,
        "client_cwd": os.getcwd(),
        "dry_run": dry_run,
    }
    answer = session.request("job.modify", params, deadline=60.0)
    wanted = resume and not dry_run and answer["status"] == "paused"
    if not as_json:
        print_warnings(answer.get("warnings") or [])
        print_changes(answer)
        say(f"{answer['job_id']}: {answer['message']}")
    elif not wanted:
        print_json(answer)
    if not wanted:
        return OK
    params = {"ids": [answer["job_id"]], "all": False, "statuses": [], "no_reload": True}
    resumed = session.request("job.resume", params, deadline=60.0)
    if not as_json:
        return report(resumed, "resumed", as_json=False)
    [row] = resumed["jobs"]
    print_json({**answer, "resumed": row})
    return OK if row.get("ok") else FAILED
