"""``marianne pause JOB…``."""

from __future__ import annotations

import time
from typing import Any

import click

from marianne.cli import jobs
from marianne.cli.exit_codes import FAILED
from marianne.cli.options import Verb, json_option, timeout_option
from marianne.cli.selection import Chosen, report, selection_options
from marianne.cli.session import Session


@click.command("pause", cls=Verb)
@selection_options
@click.option("--now", is_flag=True, help="Running sheets stand still until it is resumed.")
@click.option("--wait", "-w", is_flag=True, help="Return when nothing of it runs any more.")
@timeout_option
@json_option
@click.pass_obj
def command(
    session: Session, chosen: Chosen, now: bool, wait: bool, timeout: float | None, as_json: bool
) -> int:
    """Start no more sheets of a job; running ones finish.

    With --now they stand still at once, where they stand, and so do their time limits, until the
    job is resumed: it needs control groups (see doctor).

    The job stays paused, also over a restart of the conductor, until it is resumed. With --wait
    exit code 1 when one ended, or went on, instead.
    """
    until = None if timeout is None else time.monotonic() + timeout
    wait = wait or timeout is not None
    seen = jobs.events_page(session, None, 0, limit=1)["last"] if wait else 0
    params = chosen.to_map() | ({"now": True} if now else {})
    answer = session.request("job.pause", params, deadline=30.0)
    paused = True
    if wait:
        rows: list[Any] = [row for row in answer["jobs"] if row["ok"]]
        for row in rows:
            row["message"] = status = _settled(session, row["job_id"], seen, until)
            paused = paused and status == "paused"
    code = report(answer, as_json)
    return code if code or paused else FAILED


def _settled(session: Session, job: str, seen: int, until: float | None) -> str:
    """The job's status when it is not pausing any more; ``seen`` is the last event before."""

    def status() -> str:
        return session.request("job.status", {"job_id": job, "sheets": [1, 1]})["status"]

    now = status()
    if now != "pausing":
        return now
    ends = {"job.paused", "job.resumed", *jobs.ENDINGS}
    for _ in jobs.tail(session, job, seen, until=until, stop=lambda event: event["event"] in ends):
        pass
    return status()
