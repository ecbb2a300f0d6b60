"""``marianne status [JOB]``."""

from __future__ import annotations

import click

from marianne.cli import jobs
from marianne.cli.completing import optional_job_argument
from marianne.cli.options import Seconds, Verb, json_option
from marianne.cli.render.out import print_json
from marianne.cli.session import Session


@click.command("status", cls=Verb)
@optional_job_argument
@click.option("--watch", "-W", is_flag=True, help="Go on showing it (a job: to its end).")
@click.option(
    "--interval",
    "-i",
    type=Seconds(),
    default=2.0,
    metavar="TIME",
    help="Between two looks at the conductor; a job is shown as it changes.  [default: 2]",
)
@json_option
@click.pass_obj
def command(session: Session, job: str | None, watch: bool, interval: float, as_json: bool) -> None:
    """Show one job with its sheets, or what the conductor is doing.

    Without JOB: the conductor in a line, and the jobs that are active.
    """
    if watch:
        from marianne.cli.watching import watch_conductor, watch_job

        if job is not None:
            watch_job(session, job, as_json)
        else:
            watch_conductor(session, interval, as_json)
        return
    if job is not None:
        status = jobs.job_status(session, job)
        if as_json:
            print_json(status)
            return
        from marianne.cli.render.job import print_job

        print_job(status)
        return
    conductor = session.request("daemon.status")
    active = jobs.list_jobs(session, everything=False, statuses=[], limit=50)
    if as_json:
        print_json({"conductor": conductor, "jobs": active})
        return
    from marianne.cli.render.conductor import print_overview

    print_overview(conductor, active)
