"""What a conductor's death means for the jobs that ran: a job that may be its cause is held.

Each death counts against every job that was admitted at that time (``JobRow.crashes``); the end of
any attempt sets the job's count back to 0. So kills with progress never hold a job. At the third
death in a row without progress the job is paused with the reason ``crashes``: nothing new of it
starts, what its worker still runs may finish. If the conductor dies three more times over that,
the job is paused where it stands and gets no actors.
"""

from __future__ import annotations

import random
import time

from marianne.daemon.job_machine import JobMachine
from marianne.daemon.log import get_logger
from marianne.home import Home
from marianne.score.pack import PlanFormatError, unpack_plan
from marianne.state.changes import Change, SetMeta, UpdateJob
from marianne.state.database import Database
from marianne.state.models import JobRow, JobStatus
from marianne.state.reader import Reader

log = get_logger(__name__)

HOLD_AFTER = 3
PUT_AWAY_AFTER = 6
REASON = "crashes"

ALIVE = "conductor_alive"
"""The name in ``meta`` that is set while a conductor serves; one that is found set has died."""

SERVES: Change = SetMeta(ALIVE, b"1")
STOPS: Change = SetMeta(ALIVE, None)

_ADMITTED = frozenset({JobStatus.RUNNING, JobStatus.PAUSING})


def count_death(home: Home) -> None:
    """Before anything is started: if the last conductor died, counts that and holds jobs."""
    with Reader(home.db) as reader:
        if reader.meta(ALIVE) is None:
            return
        changes: list[Change] = []
        for job in reader.live_jobs():
            if job.status in _ADMITTED:
                changes += _after_death(job, reader)
    if changes:
        with Database(home.db) as database:
            database.write(changes)


def _after_death(job: JobRow, reader: Reader) -> list[Change]:
    job.crashes += 1
    fields: dict[str, object] = {"crashes": job.crashes}
    changes: list[Change] = []
    if job.crashes >= PUT_AWAY_AFTER and job.status is JobStatus.PAUSING:
        log.error("job_put_away", job_id=job.job_id, crashes=job.crashes)
        changes += _put_away(job, reader)
    elif job.crashes >= HOLD_AFTER and job.status is JobStatus.RUNNING:
        log.error("job_held", job_id=job.job_id, crashes=job.crashes)
        fields |= {"status": JobStatus.PAUSING, "reason": REASON}
    return [UpdateJob(job.job_id, fields), *changes]


def _put_away(job: JobRow, reader: Reader) -> list[Change]:
    try:
        plan = unpack_plan(reader.plan(job.job_id))
    except PlanFormatError:
        return [UpdateJob(job.job_id, {"status": JobStatus.PAUSED})]
    rows = {row.num: row for row in reader.sheets(job.job_id)}
    return JobMachine(plan, job, rows, random.random).hold(time.time()).changes
