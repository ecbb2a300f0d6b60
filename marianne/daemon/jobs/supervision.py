"""The actors of the jobs that were let in: they are started, watched, and given up.

A job's supervisor restarts what fails below it. What keeps a supervisor from starting in passing is
waited for; a job whose actors cannot be kept alive fails, alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from actors import ActorRef, DynamicSupervisor, ExitReason, Future, Outcome
from marianne.daemon.job import endings
from marianne.daemon.job.catch_up import catch_up
from marianne.daemon.job.supervisor import job_spec
from marianne.daemon.jobs.desk import Desk
from marianne.daemon.jobs.job_life import Happens, Life
from marianne.daemon.jobs.roster import Live
from marianne.daemon.services.scheduler import SchedulerActor
from marianne.daemon.services.store import FORGET_DEADLINE, Store
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.shared.start_delays import passing, passing_reason
from marianne.daemon.shared.turns import raise_error
from marianne.state.changes import Change
from marianne.state.models import JobStatus

log = get_logger(__name__)

SUPERVISOR_RESTARTS = 3
"""How often a job's supervisor that failed itself is started again."""

LOOK_AGAIN = 0.1
"""Seconds until another look at what is about to be decided."""

END_AGAIN = 1.0
"""Seconds until what a job left is ended again that could not be ended."""

SPOOL_AGAIN = 2.0
"""Seconds until a spool that could not be read is read again."""


class Supervision:
    """Keeps a supervisor running for each admitted job. ``closed`` is told of a job that was ended
    without its actors, when that is on disk."""

    def __init__(self, desk: Desk, closed: Callable[[str], None]) -> None:
        self._desk = desk
        self._context = desk.context
        self._live = desk.live
        self._closed = closed

    # -- starting -------------------------------------------------------------------------------

    def find(self, live: Live) -> None:
        """After a restart of the manager: watches an admitted job's supervisor, or starts one."""
        job_id = live.row.job_id
        ref = self._context.system.whereis(f"job:{job_id}")
        if ref is not None:
            self._live.move(live, Happens.FOUND_UP)
            self._desk.turns.monitor(ref)
        else:
            self._live.move(live, Happens.FOUND)
            self.start(job_id)

    def start(self, job_id: str) -> None:
        """Has the supervisor started."""
        started: Future[Any] = self._context.jobs.within(60.0).call(
            DynamicSupervisor.start_child, job_spec(self._context, self._live[job_id].row)
        )
        self._desk.turns.pipe(started, self.started, job_id)

    def started(self, outcome: Outcome[ActorRef[Any]], job_id: str) -> None:
        """A job's supervisor runs: watch it. What keeps it from starting in passing is waited for;
        a job whose actors cannot start by its own fault fails."""
        live, error = self._live[job_id], outcome.error
        if live.life is not Life.STARTING:
            return
        # One that is there already is this job's: an earlier call was answered too late, or not.
        there = self._context.system.whereis(f"job:{job_id}") if error is not None else None
        ref = outcome.value or there
        if ref is not None and self._live.move(live, Happens.STARTED):
            if live.put_off:  # else what is noted is its worker's, which cannot start yet
                live.put_off = False
                self._context.start_delays.over(job_id)
            self._desk.turns.monitor(ref)
        elif passing(error):
            self._put_off(live, str(error))
        else:
            self._context.executor.unprepare(job_id)
            self._give_up(job_id, str(error))

    def _put_off(self, live: Live, why: str) -> None:
        """The job's actors are started a little later; until then its row is ours."""
        job_id = live.row.job_id
        if self._live.move(live, Happens.PUT_OFF):
            live.put_off = True
            seconds = self._context.start_delays.note(job_id, why)
            log.warning("job_start_delayed", job_id=job_id, seconds=round(seconds, 1), why=why)
            self._desk.turns.after(seconds, self.start_again, job_id)

    def start_again(self, job_id: str) -> None:
        """A job that could not be started may be now, unless somebody is just changing it."""
        live = self._live.get(job_id)
        if live is None or live.life is not Life.DELAYED:
            return
        if live.unsure:
            self._desk.turns.after(LOOK_AGAIN, self.start_again, job_id)
        elif self._context.stop.mode is None and self._live.move(live, Happens.TRY):
            self.start(job_id)

    # -- ends that nobody asked for -------------------------------------------------------------

    def went_down(self, live: Live, reason: ExitReason) -> None:
        """A job's actors are gone though it is not over."""
        job_id = live.row.job_id
        if not reason.abnormal or passing_reason(reason):
            self._put_off(live, str(reason))
        elif reason.kind != "shutdown" and live.restarts < SUPERVISOR_RESTARTS:
            # The supervisor itself failed, not its children too often.
            live.restarts += 1
            self._live.move(live, Happens.DOWN)
            self.start(job_id)
        else:
            self._give_up(job_id, str(reason))

    def _give_up(self, job_id: str, cause: str) -> None:
        """A job's actors cannot be kept alive: the job fails, alone, when its worker is gone."""
        log.error("job_gave_up", job_id=job_id, cause=cause)
        self._context.failures.note(time.monotonic())
        self.end_without_actors(job_id, f"supervisor gave up: {cause}")

    def end_without_actors(
        self, job_id: str, cause: str | None, more: Sequence[Change] = ()
    ) -> None:
        """Ends what a job without actors left; then it has failed for ``cause``, or, without one,
        is cancelled. There is ``more`` in the transaction of that."""
        self._live.move(self._live[job_id], Happens.GIVE_UP)
        self._context.start_delays.over(job_id)
        self.end_what_is_left(job_id, cause, more)

    def end_what_is_left(self, job_id: str, *how: Any) -> None:
        """Has the executor end it; the job's own end follows."""
        # From disk: the row in memory is older than the record of its runner.
        row = self._desk.reader.job(job_id) or self._live[job_id].row
        self._desk.turns.pipe(self._context.executor.end(row), self.nothing_left, job_id, *how)

    def nothing_left(self, outcome: Outcome[None], job_id: str, *how: Any) -> None:
        """Nothing of a job that gives up runs any more, or nobody knows: then once more."""
        if outcome.error is not None:
            log.warning("job_not_ended", job_id=job_id, error=repr(outcome.error))
            self._desk.turns.after(END_AGAIN, self.end_what_is_left, job_id, *how)
            return
        # What the job's last actor still wanted must not come after what is decided here.
        store = self._context.store.within(FORGET_DEADLINE)
        forgotten: Future[Any] = store.call(Store.forget, self._context.job(job_id).name)
        self._desk.turns.pipe(forgotten, self.last_written, job_id, *how)

    def last_written(
        self, outcome: Outcome[Any], job_id: str, cause: str | None, more: Sequence[Change]
    ) -> None:
        """The job's row stays as it is now: decide about it, finished work first."""
        raise_error(outcome)
        now = time.time()
        try:
            machine = self._desk.machine(job_id)
            finished = self._context.executor.finished(job_id)
            changes = catch_up(machine, finished, now).changes
            if not machine.job.status.terminal:
                end = machine.give_up(cause, now) if cause else machine.abandon(now)
                changes += end.changes
        except OSError as error:
            log.warning("spool_not_read", job_id=job_id, error=repr(error))
            self._desk.turns.after(SPOOL_AGAIN, self.last_written, outcome, job_id, cause, more)
            return
        except Refused:
            status = JobStatus.FAILED if cause else JobStatus.CANCELLED
            changes = endings.close_row(job_id, status, now, cause)
        self._context.scheduler.tell(SchedulerActor.forget_job, job_id)
        self._desk.turns.pipe(self._desk.write([*changes, *more]), self.gave_up, job_id)

    def gave_up(self, outcome: Outcome[Any], job_id: str) -> None:
        """The end of a job that was ended without its actors is on disk."""
        raise_error(outcome)
        self._closed(job_id)
