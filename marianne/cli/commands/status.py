"""``marianne status [JOB]``."""

from __future__ import annotations

import click

from marianne.cli import jobs
from marianne.cli.completing import optional_job_argument
from marianne.cli.options import Seconds, Verb, exact_option, json_option
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
@click.option("--failed", is_flag=True, help="Only what has failed: jobs, or the sheets of JOB.")
@exact_option
@json_option
@click.pass_obj
def command(
    session: Session,
    job: str | None,
    watch: bool,
    interval: float,
    failed: bool,
    exact: bool,
    as_json: bool,
) -> None:
    """Show one job with its sheets, or what the conductor is doing.

    Without JOB: the conductor in a line, and the jobs that are active. The name of a score means
    its newest job; with --exact or --json the one with that id. Where no conductor runs it is all
    as the last one left it.
    """
    newest = not (exact or as_json)
    if watch and failed:
        raise click.UsageError("--watch shows what goes on, --failed what has ended: choose one")
    if watch:
        from marianne.cli.watching import watch_conductor, watch_job

        if job is not None:
            watch_job(session, jobs.exact_id(session, job, newest=newest), as_json)
        else:
            watch_conductor(session, interval, as_json)
        return
    if job is not None:
        status = jobs.job_status(session, job, newest=newest)
        if failed:
            status["sheets"] = [one for one in status["sheets"] if one["status"] == "failed"]
        if as_json:
            print_json(status)
            return
        from marianne.cli.render.job import print_job

        print_job(status, jobs.waiting_for_place(session, status))
        return
    conductor, active = jobs.overview(session, ["failed"] if failed else [])
    if as_json:
        print_json({"conductor": conductor, "jobs": active})
        return
    from marianne.cli.render.conductor import print_overview

    print_overview(conductor, active)
