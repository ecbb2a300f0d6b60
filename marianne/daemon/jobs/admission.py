"""Which jobs have actors: admission, the watch over them, and their end.

The half of the job manager that nobody outside calls; see :mod:`marianne.daemon.jobs.actor`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

from actors import Actor, ActorRef, Down, DynamicSupervisor, ExitReason, Future, Outcome, Promise
from actors.process import Process, ProcessExit
from marianne.daemon.context import Context
from marianne.daemon.job.catch_up import catch_up
from marianne.daemon.job.machine import JobMachine
from marianne.daemon.job.supervisor import job_spec
from marianne.daemon.jobs.job_life import Happens, Life
from marianne.daemon.jobs.memory import REASON, MemoryRoom
from marianne.daemon.jobs.roster import Live, Roster
from marianne.daemon.processes.handoff import enter
from marianne.daemon.services.learning import LearningActor
from marianne.daemon.services.retention import Retention
from marianne.daemon.services.scheduler import SchedulerActor
from marianne.daemon.services.spare_keeper import SpareKeeper
from marianne.daemon.services.store import FORGET_DEADLINE, WRITE_DEADLINE, Store
from marianne.daemon.shared.idempotency import Requests
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.refusal import Refused, not_found
from marianne.daemon.shared.start_delays import passing, passing_reason
from marianne.daemon.views import queries
from marianne.daemon.worker.orphans import kill_worker, sweep_job
from marianne.schedule.room import Room, admit
from marianne.state.changes import AddEvent, Change, UpdateJob
from marianne.state.models import JobRow, JobStatus
from marianne.state.reader import Reader
from marianne.state.transitions import move

log = get_logger(__name__)

SUPERVISOR_RESTARTS = 3
"""How often a job's supervisor that failed itself is started again."""

LOOK_AGAIN = 0.1
"""Seconds until another look at what is about to be decided."""

SPOOL_AGAIN = 2.0
"""Seconds until a spool that could not be read is read again."""

ADMITTED = frozenset({JobStatus.RUNNING, JobStatus.PAUSING, JobStatus.CANCELLING})


class Admission(Actor):
    """Keeps a supervisor running for each admitted job, at most ``max_concurrent_jobs``.

    A job whose turn it is and that finds no room in memory is ``pending`` meanwhile.
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._live = context.roster = Roster()
        self._memory = MemoryRoom(context)
        self._winding_down = self._drained = False
        self._when_wound_down: list[Promise[None]] = []
        self._clearing: set[str] = set()
        """Jobs whose deletion is on its way to the disk: they are none any more."""
        self._giving_up: dict[Process, tuple[str, str | None]] = {}

    def on_start(self) -> None:
        """Finds every job that is not over, and watches or starts what is admitted."""
        self._context.store.within(FORGET_DEADLINE).ask(Store.forget, self.name)
        self._reader = Reader(self._context.home.db)
        self._requests = Requests(self._reader)
        for row in self._reader.live_jobs():
            self._live[row.job_id] = live = Live(row)
            if row.status in ADMITTED:
                ref = self._context.system.whereis(f"job:{row.job_id}")
                if ref is not None:
                    self._live.move(live, Happens.FOUND_UP)
                    self.monitor(ref)
                else:
                    self._live.move(live, Happens.FOUND)
                    self._start_actors(row.job_id)
        for job_id in set(self._context.entries) - set(self._live):
            self._drop_entry(job_id)
        self._admit()

    def on_stop(self, reason: ExitReason) -> None:
        """Closes the reader: the last connection to go folds the log into the database."""
        self._reader.close()

    def _room(self) -> int:
        return self._context.config.max_concurrent_jobs - self._live.admitted

    def _admit(self, *, lined_up: bool = False) -> None:
        """Lets those begin for whom there is room. ``lined_up`` says that no row's status was set
        since the last time: then nobody looks through all of them."""
        if self._context.stop.mode is not None or self._context.storage.problem is not None:
            return
        if not lined_up:
            self._live.line_up()
        places = self._room()
        if places <= 0:
            return
        waiting = (
            self._memory.size(row, self._live[row.job_id].size) for row in self._live.in_line()
        )
        admitted, held = admit(waiting, self._free(places))
        now = time.time()
        for one in admitted:
            live = self._live[one.job_id]
            self._live.move(live, Happens.ADMIT)
            changes: list[Change] = [
                *self._started(live.row, now),
                AddEvent(one.job_id, None, "job.started", {}, now),
            ]
            self.pipe(self._write(changes), self.admitted, one.job_id)
        self._hold([one.job_id for one in held], REASON)

    def _free(self, places: int) -> Room:
        running = ((live.row, live.size) for live in self._live.running())
        return self._memory.room(places, running)

    def _hold(self, job_ids: Sequence[str], reason: str) -> None:
        """Their turn has come and there is no room: they say so until there is."""
        self._context.resources.awaited = bool(job_ids)
        now = time.time()
        for job_id in job_ids:
            row = self._live[job_id].row
            if row.status is JobStatus.PENDING and row.reason == reason:
                continue
            move(row, JobStatus.PENDING)
            row.reason = reason
            changes: list[Change] = [
                UpdateJob(job_id, {"status": row.status, "reason": reason}),
                AddEvent(job_id, None, "job.pending", {"reason": reason}, now),
            ]
            self.pipe(self._write(changes), self.held)

    def held(self, outcome: Outcome[Any]) -> None:
        """That a job is held is on disk."""
        if outcome.error is not None:
            raise outcome.error

    def _started(self, row: JobRow, now: float) -> list[Change]:
        move(row, JobStatus.RUNNING)
        row.reason, row.started_at = None, row.started_at or now
        fields = {"status": row.status, "reason": None, "started_at": row.started_at}
        return [UpdateJob(row.job_id, {**fields, "finished_at": None, "error": None})]

    def admitted(self, outcome: Outcome[Any], job_id: str) -> None:
        """An admission is on disk: start the job's actors."""
        if outcome.error is not None:
            raise outcome.error
        live = self._live[job_id]
        if self._live.move(live, Happens.COMMITTED):
            self._start_actors(job_id)
        size = live.size
        if size.estimate is not None:
            self._context.learning.tell(LearningActor.used, size.config_hash)

    def _enter(self, row: JobRow, plan: bytes, environment: bytes) -> None:
        """Leaves what the first actors of a new job need; its worker goes into the row."""
        spare = self._context.spare.take()
        self._context.spare_keeper.tell(SpareKeeper.taken)
        self._context.entries[row.job_id] = enter(row, plan, environment, spare)

    def _drop_entry(self, job_id: str) -> None:
        entry = self._context.entries.pop(job_id, None)
        if entry is not None:
            entry.dismiss()

    def _start_actors(self, job_id: str) -> None:
        started: Future[Any] = self._context.jobs.within(60.0).call(
            DynamicSupervisor.start_child, job_spec(self._context, job_id)
        )
        self.pipe(started, self.supervised, job_id)

    def supervised(self, outcome: Outcome[ActorRef[Any]], job_id: str) -> None:
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
            self.monitor(ref)
        elif passing(error):
            self._put_off(live, str(error))
        else:
            self._drop_entry(job_id)
            self._give_up(job_id, str(error))

    def _put_off(self, live: Live, why: str) -> None:
        """The job's actors are started a little later; until then its row is ours."""
        job_id = live.row.job_id
        if self._live.move(live, Happens.PUT_OFF):
            live.put_off = True
            seconds = self._context.start_delays.note(job_id, why)
            log.warning("job_start_delayed", job_id=job_id, seconds=round(seconds, 1), why=why)
            self.send_after(seconds, self.start_again, job_id)

    def start_again(self, job_id: str) -> None:
        """A job that could not be started may be now, unless somebody is just changing it."""
        live = self._live.get(job_id)
        if live is None or live.life is not Life.DELAYED:
            return
        if live.unsure:
            self.send_after(LOOK_AGAIN, self.start_again, job_id)
        elif self._context.stop.mode is None and self._live.move(live, Happens.TRY):
            self._start_actors(job_id)

    def on_down(self, down: Down) -> None:
        """A job's actors are gone, and no process of it is left (or it gave up)."""
        job_id = down.name.removeprefix("job:")
        live = self._live.get(job_id)
        if live is None or live.life is not Life.UP:
            return
        row = self._reader.job(job_id)
        if row is None:
            raise LookupError(f"job {job_id} is not in the database")
        if row.status.terminal or row.status is JobStatus.PAUSED:
            self._live.leave(live, row)
            if row.status.terminal:
                self._over(job_id)
            self._admit(lined_up=row.status.terminal)
        else:
            self._went_down(live, down.reason)

    def _went_down(self, live: Live, reason: ExitReason) -> None:
        """A job's actors are gone though it is not over."""
        job_id = live.row.job_id
        if not reason.abnormal or passing_reason(reason):
            self._put_off(live, str(reason))
        elif reason.kind != "shutdown" and live.restarts < SUPERVISOR_RESTARTS:
            # The supervisor itself failed, not its children too often.
            live.restarts += 1
            self._live.move(live, Happens.DOWN)
            self._start_actors(job_id)
        else:
            self._give_up(job_id, str(reason))

    def _give_up(self, job_id: str, cause: str) -> None:
        """A job's actors cannot be kept alive: the job fails, alone, when its worker is gone."""
        log.error("job_gave_up", job_id=job_id, cause=cause)
        self._context.failures.note(time.monotonic())
        self._end_without_actors(job_id, f"supervisor gave up: {cause}")

    def _end_without_actors(self, job_id: str, cause: str | None) -> None:
        """Ends what a job without actors left; then it has failed for ``cause``, or, without one,
        is cancelled."""
        self._live.move(self._live[job_id], Happens.GIVE_UP)
        self._context.start_delays.over(job_id)
        # From disk: the row in memory is older than the record of the worker.
        row = self._reader.job(job_id) or self._live[job_id].row
        process = kill_worker(self._context, row)
        if process is None:
            self._close(job_id, cause)
        else:
            self._giving_up[process] = (job_id, cause)
            self.watch(process)

    def on_process_exit(self, process: Process, ending: ProcessExit) -> None:
        """The worker of a job that gives up is gone."""
        given_up = self._giving_up.pop(process, None)
        if given_up is not None:
            self._close(*given_up)

    def _close(self, job_id: str, cause: str | None) -> None:
        sweep_job(self._context, job_id)
        # What the job's last actor still wanted must not come after what is decided here.
        store = self._context.store.within(FORGET_DEADLINE)
        forgotten: Future[Any] = store.call(Store.forget, self._context.job(job_id).name)
        self.pipe(forgotten, self.last_written, job_id, cause)

    def last_written(self, outcome: Outcome[Any], job_id: str, cause: str | None) -> None:
        """The job's row stays as it is now: decide about it, finished work first."""
        if outcome.error is not None:
            raise outcome.error
        now = time.time()
        try:
            machine = self._machine(job_id)
            changes = catch_up(machine, self._context.home.job_dir(job_id), now).changes
            if not machine.job.status.terminal:
                end = machine.give_up(cause, now) if cause else machine.abandon(now)
                changes += end.changes
        except OSError as error:
            log.warning("spool_not_read", job_id=job_id, error=repr(error))
            self.send_after(SPOOL_AGAIN, self.last_written, outcome, job_id, cause)
            return
        except Refused:
            # Not even its plan can be read: the job's own row is all that there is to close.
            status = JobStatus.FAILED if cause else JobStatus.CANCELLED
            changes = [
                UpdateJob(
                    job_id, {"status": status, "finished_at": now, "error": cause}, asked=True
                )
            ]
        self._context.scheduler.tell(SchedulerActor.forget_job, job_id)
        self.pipe(self._write(changes), self.gave_up, job_id)

    def gave_up(self, outcome: Outcome[Any], job_id: str) -> None:
        """The end of a job that was ended without its actors is on disk."""
        if outcome.error is not None:
            raise outcome.error
        self._over(job_id)
        self._admit(lined_up=True)

    def _over(self, job_id: str) -> None:
        live = self._live.pop(job_id)
        self._context.start_delays.over(job_id)
        self._tell_wound_down()
        self._context.retention.tell(Retention.job_ended)
        self._tell_of_an_end(job_id)
        if live.waiters or live.cancels:
            summary = queries.summary(self._reader, job_id)
            for waiter in live.waiters:
                waiter.set(summary)
            for answer in live.cancels:
                answer.set(summary)

    def _tell_of_an_end(self, job_id: str) -> None:
        # These two know the manager.
        from marianne.daemon.services.health import HealthActor
        from marianne.daemon.services.monitor import MonitorActor

        self._context.learning.tell(LearningActor.job_ended, job_id)
        self._context.health.tell(HealthActor.on_job_completed)
        if self._context.resources.awaited:
            # What it used is free, and the last reading does not know it.
            self._context.monitor.tell(MonitorActor.check)

    def _tell_wound_down(self) -> None:
        if self._winding_down and (self._drained or not self._live):
            for promise in self._when_wound_down:
                promise.set(None)
            self._when_wound_down.clear()

    def _known(self, job_id: str) -> JobRow:
        """The job's row as it is on disk. Refuses with ``not_found``, also one that is being
        deleted."""
        row = None if job_id in self._clearing else self._reader.job(job_id)
        if row is None:
            raise not_found(job_id)
        return row

    def _machine(self, job_id: str) -> JobMachine:
        job = self._known(job_id)
        rows = {row.num: row for row in self._reader.sheets(job_id)}
        return JobMachine(queries.plan_of(self._reader, job_id), job, rows, random.random)

    def _write(self, changes: Sequence[Change]) -> Any:
        store = self._context.store.within(WRITE_DEADLINE)
        return store.call(Store.write, changes, self.name)

    def _ask_to_write(self, changes: Sequence[Change]) -> Any:
        """For what a client asked: it fails while the disk does, and the client asks again."""
        store = self._context.store.within(WRITE_DEADLINE)
        return store.call(Store.write, changes, self.name, kept=False)
