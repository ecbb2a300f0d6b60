"""``marianne wait JOB…``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from marianne.cli import jobs as ask
from marianne.cli.completing import complete_job
from marianne.cli.exit_codes import BY_JOB_STATUS, FAILED, OK
from marianne.cli.following import detaching, follow
from marianne.cli.options import Verb, json_option, output_option, timeout_option
from marianne.cli.render.out import print_json
from marianne.cli.session import Session

if TYPE_CHECKING:
    from marianne.replies.job import Job


@click.command("wait", cls=Verb)
@click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=complete_job)
@click.option("--all", "everything", is_flag=True, help="All jobs that are not over now.")
@click.option(
    "--follow", "-f", "follow_it", is_flag=True, help="Show the progress meanwhile (of one job)."
)
@output_option
@timeout_option
@json_option
@click.pass_obj
def command(
    session: Session,
    jobs: tuple[str, ...],
    everything: bool,
    follow_it: bool,
    output: bool,
    timeout: float | None,
    as_json: bool,
) -> int:
    """Wait until jobs have ended; the exit code tells how.

    0 when all have completed, 1 when one failed or was cancelled. Goes on waiting while a job is
    paused. Ctrl-C ends the waiting, never a job. With --json: the job as status shows it, or a
    list of them.
    """
    if everything is bool(jobs):
        raise click.UsageError("name a job, or give --all")
    if output and as_json:
        raise click.UsageError("--output prints lines, --json objects: choose one")
    follow_it = follow_it or output
    if follow_it and (everything or len(jobs) > 1):
        raise click.UsageError("--follow and --output show one job")
    until = None if timeout is None else time.monotonic() + timeout
    session.need_conductor()  # what the last one left does not end by itself
    if everything:
        jobs = tuple(job["job_id"] for job in ask.list_jobs(session))
    else:
        jobs = tuple(ask.exact_id(session, job) for job in jobs)  # an unknown one fails at once
    ended: list[Job] = []
    with detaching(*jobs):
        for job in jobs:
            if follow_it:
                ended.append(follow(session, job, until=until, as_json=as_json, output=output))
            else:
                ended.append(ask.wait_for_end(session, job, until))
    if as_json and not follow_it:
        whole = [ask.job_status(session, job["job_id"]) for job in ended]
        print_json(whole if everything or len(whole) > 1 else whole[0])
    elif not as_json:
        from marianne.cli.render.summary import print_summary

        for status in ended:
            print_summary(session, status)
    return max((BY_JOB_STATUS.get(status["status"], FAILED) for status in ended), default=OK)
