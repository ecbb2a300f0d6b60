"""What a conductor's death means for the jobs that ran: a job that may be its cause is held.

Each death counts against every job that was admitted at that time (``JobRow.crashes``); the end of
any attempt sets the job's count back to 0. So kills with progress never hold a job. At the third
death in a row without progress the job is paused with the reason ``crashes``: nothing new of it
starts, what its worker still runs may finish. If the conductor dies three more times over that,
the job is paused where it stands and gets no actors: its worker is ended first, and what that had
finished counts. A result in its spool is progress like any other. A job that is being cancelled is
not held: at the third death what was to run after the cancel is left out.

Each job is judged for itself. One whose rows and spool cannot both be true is not judged, only
counted, held and put away: it keeps no other job from starting.
"""

from __future__ import annotations

import random
import time

from marianne.daemon.job.catch_up import catch_up
from marianne.daemon.job.machine import JobMachine
from marianne.daemon.shared.alive import ALIVE
from marianne.daemon.shared.log import get_logger
from marianne.daemon.worker.executor import spooled
from marianne.daemon.worker.orphans import end_worker, recorded_workers
from marianne.home import Home
from marianne.score.pack import PlanFormatError, unpack_plan
from marianne.state.changes import AddEvent, Change, SetMeta, UpdateJob
from marianne.state.database import Database
from marianne.state.errors import Refused
from marianne.state.models import JobRow, JobStatus
from marianne.state.reader import Reader

log = get_logger(__name__)

HOLD_AFTER = 3
PUT_AWAY_AFTER = 6
REASON = "crashes"

SERVES: Change = SetMeta(ALIVE, b"1")
STOPS: Change = SetMeta(ALIVE, None)

_ADMITTED = frozenset({JobStatus.RUNNING, JobStatus.PAUSING, JobStatus.CANCELLING})


def count_death(home: Home) -> None:
    """Before anything is started: if the last conductor died, counts that and holds jobs."""
    with Reader(home.db) as reader:
        if reader.meta(ALIVE) is None:
            return
        admitted = [job for job in reader.live_jobs() if job.status in _ADMITTED]
        if not admitted:
            return
        with Database(home.db) as database:
            for job in admitted:
                unjudged = _unjudged(job)
                try:
                    database.write(_after_death(home, job, reader, unjudged))
                except Refused as error:
                    log.error("job_not_judged", job_id=job.job_id, error=repr(error))
                    database.write(unjudged)


def _unjudged(job: JobRow) -> list[Change]:
    """What the death means for a job of which nobody can tell what it has done."""
    crashes = job.crashes + 1
    count: Change = UpdateJob(job.job_id, {"crashes": crashes})
    if crashes < HOLD_AFTER or job.status is JobStatus.CANCELLING:
        return [count]
    if crashes < PUT_AWAY_AFTER or job.status is not JobStatus.PAUSING:
        return [count, UpdateJob(job.job_id, {"status": JobStatus.PAUSING, "reason": REASON})]
    told = AddEvent(job.job_id, None, "job.paused", {"reason": job.reason}, time.time())
    return [count, UpdateJob(job.job_id, {"status": JobStatus.PAUSED}), told]


def _after_death(home: Home, job: JobRow, reader: Reader, unjudged: list[Change]) -> list[Change]:
    job.crashes += 1
    count: Change = UpdateJob(job.job_id, {"crashes": job.crashes})
    if job.crashes < HOLD_AFTER:
        return [count]
    pausing = UpdateJob(job.job_id, {"status": JobStatus.PAUSING, "reason": REASON})
    try:
        plan = unpack_plan(reader.plan(job.job_id))
    except PlanFormatError:
        return unjudged
    rows = {row.num: row for row in reader.sheets(job.job_id)}
    machine = JobMachine(plan, job, rows, random.random)
    try:
        return _judge(home, machine, count, pausing)
    except OSError as error:
        # Its spool cannot be read just now: nothing is decided about work that may be done.
        log.error("job_not_judged", job_id=job.job_id, error=repr(error))
        return [count]


def _judge(home: Home, machine: JobMachine, count: Change, pausing: Change) -> list[Change]:
    """Holds the job, or puts it away, or leaves out what is to run after its cancel, unless an
    attempt of it has ended: that is progress."""
    job, now = machine.job, time.time()
    directory = home.job_dir(job.job_id)
    changes = catch_up(machine, spooled(directory), now).changes
    if job.crashes == 0:
        return changes
    if job.status is JobStatus.RUNNING:
        log.error("job_held", job_id=job.job_id, crashes=job.crashes)
        return [count, *changes, pausing]
    if job.status is JobStatus.CANCELLING:
        log.error("job_cut_short", job_id=job.job_id, crashes=job.crashes)
        return [count, *changes, *machine.cancel(now, again=True).changes]
    if job.crashes < PUT_AWAY_AFTER or job.status is not JobStatus.PAUSING:
        return [count, *changes]
    if not end_worker(job, home.owner(), spare=recorded_workers(home)):
        return [count, *changes]  # who may still finish something is not decided about
    changes += catch_up(machine, spooled(directory), now).changes
    if job.crashes == 0:
        return changes
    log.error("job_put_away", job_id=job.job_id, crashes=job.crashes)
    return [count, *changes, *machine.hold(now).changes]
