"""``marianne diagnose JOB``."""

from __future__ import annotations

import click

from marianne.cli.completing import job_argument
from marianne.cli.jobs import named
from marianne.cli.options import Verb, exact_option, json_option
from marianne.cli.render.diagnosis import print_diagnosis
from marianne.cli.render.log import lines_about, print_log_line
from marianne.cli.render.out import paint, print_json, say
from marianne.cli.session import Session


@click.command("diagnose", cls=Verb)
@job_argument
@click.option("--include-logs", is_flag=True, help="And what the conductor's log says of it.")
@exact_option
@json_option
@click.pass_obj
def command(session: Session, job: str, include_logs: bool, exact: bool, as_json: bool) -> None:
    """Say why a job is not done, and what that was read from.

    The likely cause, what to do next, the sheets in trouble with their attempts and last output,
    what the job used, and crashes of the conductor's own parts meanwhile.
    """
    report = session.request("job.diagnose", named(job, not (exact or as_json)))
    logs = lines_about(session.home.log, report["job_id"]) if include_logs else []
    if as_json:
        print_json({**report, "logs": logs} if include_logs else report)
        return
    print_diagnosis(report)
    if include_logs:
        say()
        say(paint(f"the last {len(logs)} lines of {session.home.log} about it", "bold"))
        for line in logs:
            print_log_line(line)
