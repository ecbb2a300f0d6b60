"""Showing again and again: one job to its end, or the conductor until Ctrl-C."""

from __future__ import annotations

import sys
import time

from marianne.cli import jobs
from marianne.cli.errors import CliError
from marianne.cli.following import follow
from marianne.cli.render.conductor import print_overview
from marianne.cli.render.out import note, print_json, say
from marianne.cli.session import Session

CLEAR = "\x1b[H\x1b[J"


def watch_job(session: Session, job_id: str, as_json: bool) -> None:
    """The job's progress until it has ended, then its sheets. Ctrl-C leaves it alone."""
    try:
        status = follow(session, job_id, as_json=as_json)
    except KeyboardInterrupt:
        raise CliError("interrupted", f"{job_id} goes on", data={"job_id": job_id}) from None
    if not as_json:
        from marianne.cli.render.job import print_job

        print_job(status)


def watch_conductor(session: Session, interval: float, as_json: bool) -> None:
    """The conductor and its active jobs, every ``interval`` seconds, over restarts too."""
    while True:
        try:
            conductor = session.request("daemon.status")
            active = jobs.list_jobs(session, limit=50)
        except CliError as error:
            if error.code != "no_conductor" or not sys.stdout.isatty():
                raise
            note("no conductor runs")
        else:
            if as_json:
                print_json({"conductor": conductor, "jobs": active}, stream=True)
            else:
                if sys.stdout.isatty():
                    sys.stdout.write(CLEAR)
                else:
                    say(time.strftime("%H:%M:%S"))
                print_overview(conductor, active)
        sys.stdout.flush()
        time.sleep(interval)
