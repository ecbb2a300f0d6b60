"""The execution of one job, whoever carries it: a conductor's job actor, or a process of its own.

It feeds the job's state machine (:mod:`marianne.daemon.job.machine`) with what happens and has its
steps carried out by *hands*: what may be done at once at once; the changes of all that came
together in one go; what follows from them, and the telling of it, once the hands say that they are
on disk. Single-threaded: nothing here may be called from within one of the hands' methods.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from marianne.clock import Watch
from marianne.daemon.job import status_bytes
from marianne.daemon.job.endings import MODIFY
from marianne.daemon.job.machine import JobMachine
from marianne.daemon.shared.effects import (
    Acknowledge,
    Complete,
    Deregister,
    Effect,
    EndSheets,
    Finish,
    Grow,
    RateLimited,
    Register,
    Release,
    Requeue,
    Step,
    Unblock,
    WakeAt,
    Withdraw,
)
from marianne.daemon.shared.exceptions import JobSubmissionError
from marianne.daemon.shared.status_cache import Packed, StatusCache
from marianne.daemon.views import wire
from marianne.executors.protocol import Run
from marianne.model.plan import Growth
from marianne.model.result import AttemptResult
from marianne.schedule.entries import SheetInfo
from marianne.state.changes import AddEvent, Change, UpdateJob
from marianne.state.models import HELD, JobStatus

if TYPE_CHECKING:
    from marianne.daemon.job_service import JobService
    from marianne.replies.job import Job, SheetMap

LAST_SHEET = 1 << 30
ENDS_OF_SHEETS = frozenset({"sheet.completed", "sheet.failed", "sheet.skipped"})


class Hands(Protocol):
    """What carries out a job's effects. No method may wait."""

    def run(self, run: Run) -> None:
        """Start an attempt in the worker."""

    def hold(self, on: bool) -> None:
        """Have all that runs stand still, or go on."""

    def withdraw(self) -> None:
        """Takes back what was granted ahead and has not begun."""

    def end_sheets(self, nums: Sequence[int], category: str) -> None:
        """End running attempts."""

    def acknowledge(self, serial: int) -> None:
        """Tell the worker that a result is kept."""

    def register(
        self, work: Register, max_concurrent: int | None, pools: Mapping[str, int | None]
    ) -> None:
        """Queue the job's sheets in place of what was queued of it."""

    def deregister(self) -> None:
        """Take the job's sheets out of the queue."""

    def grow(
        self,
        growths: Sequence[Growth],
        sheets: Sequence[SheetInfo],
        needs: Mapping[int, Collection[int]],
    ) -> None:
        """Tell the worker how the plan has grown, and queue these sheets; ``needs`` are theirs, and
        what others need besides."""

    def release(self, num: int) -> None:
        """Give a slot back."""

    def complete(self, num: int, success: bool) -> None:
        """Note in the queue that a sheet is over."""

    def requeue(self, info: SheetInfo) -> None:
        """Queue a sheet again."""

    def wake_at(self, num: int, due_at: float) -> None:
        """Call ``due`` for the sheet at that time."""

    def finish(self, status: JobStatus) -> None:
        """The job needs no process any more."""


class Execution:
    """One job's rules in force; see the head of this file. ``service`` is told what happens."""

    def __init__(
        self,
        machine: JobMachine,
        hands: Hands,
        service: JobService,
        shelf: StatusCache | None = None,
    ) -> None:
        self._machine = machine
        self._on_disk = copy(machine.job)
        self._hands = hands
        self._service = service
        self._sheets = status_bytes.Sheets(machine.ledger)
        self._shelf = shelf or StatusCache()
        self._step = Step()
        self._under_way = 0
        self._clock = Watch()

    # -- asked ----------------------------------------------------------------------------------

    @property
    def workspace(self) -> Path:
        """Where the job works."""
        return Path(self._machine.job.workspace)

    def pause(self, reason: str = "person") -> None:
        """Starts no further sheet; the running ones finish, then the job is paused.

        Raises JobSubmissionError when it is paused, over, or being cancelled.
        """
        job_id, status = self._machine.job.job_id, self._machine.job.status
        if status is JobStatus.CANCELLING:
            raise JobSubmissionError(f"job {job_id} is {status}")
        if status is JobStatus.PAUSED or status.terminal:
            raise JobSubmissionError(f"job {job_id} is {status} already")
        self.take(self._machine.pause(reason, self.now()))

    def resume(self) -> None:
        """Takes back a pause that is not in force yet; where another plan waits what runs goes on
        to its end, and the job with that plan."""
        if self._machine.ledger.replanned:
            self.take(self._machine.pause(MODIFY, self.now()))
        else:
            self.take(self._machine.resume(self.now()))

    def replan(self, plan: Change, *, stays: bool) -> bool:
        """Pauses, to go on with another plan. Returns False where a person has it pause already,
        and that is to stay so: then the plan waits for that pause, and the job for a resume."""
        job = self._machine.job
        self.add(plan)
        self._machine.ledger.replanned = True
        if stays and job.status is JobStatus.PAUSING and job.reason in HELD:
            return False
        self.take(self._machine.pause(MODIFY, self.now()))
        return True

    def status(self, first: int = 1, last: int = LAST_SHEET) -> Packed:
        """The job with its sheets ``first`` to ``last``, as ``job.status`` answers it, packed; of
        which what did not change is kept."""
        nums = range(max(1, first), min(last, self._sheets.total) + 1)
        mark = self._shelf.mark()
        status = status_bytes.status(self.summary(), self._sheets.of(nums))
        if not self._under_way:  # else it may be on disk by now, and this is old
            self._shelf.keep(mark, self._machine.job.job_id, first, last, status)
        return status

    def map(self) -> SheetMap:
        """The job with one letter a sheet."""
        return {**self.summary(), "states": self._sheets.states()}

    def summary(self) -> Job:
        """The job without its sheets, as ``list`` shows it.

        All of it is as on disk, and so are its sheets in a status: who is told of an end or a pause
        may act upon it at once, and no death takes back what somebody has seen.
        """
        job, work = self._on_disk, self._sheets.work
        job.worked, job.work_since, job.work_until = work.seconds, work.since, work.until
        return wire.job_map(job, self._sheets.progress())

    # -- what happens ---------------------------------------------------------------------------

    def worker_up(self, hello: Mapping[str, Any]) -> list[int]:
        """The worker lives: take the results that were missed, then go on from what runs.

        Returns the sheets that an earlier worker ran when it was lost.
        """
        self.results(hello["unacked"])
        running, queued, ended = (
            [(num, attempt) for num, attempt in hello.get(name, ())]
            for name in ("running", "queued", "ended")
        )
        self.take(self._machine.recover(running, self.now(), ended, queued))
        return self._machine.take_lost()

    def results(self, results: Sequence[dict[str, Any]]) -> None:
        """Attempts ended. Idempotent: a result may come any number of times."""
        now = self.now()
        for result in results:
            self.take(self._machine.result(AttemptResult.from_map(result), now))

    def started(self, sheets: Sequence[Sequence[Any]]) -> None:
        """Attempts began in the worker: their true start times, their walls, and their nodes where
        there are any; shown until the result comes."""
        for num, attempt, started_at, walls, *node in sheets:
            self.take(self._machine.began(num, attempt, started_at, walls, *node))
            self._sheets.began(num)

    def granted(self, nums: Sequence[int], ahead: Sequence[int] = ()) -> None:
        """``nums`` have a slot each; those ``ahead`` may begin when others of the job end."""
        now = self.now()
        for num in nums:
            self.take(self._machine.grant(num, now))
        for num in ahead:
            self.take(self._machine.grant_ahead(num, now))

    def withdrawn(self, sheets: Sequence[Sequence[int]]) -> None:
        """The worker gave these back (sheet and attempt) that were granted ahead."""
        self.take(self._machine.withdrawn([num for num, _ in sheets], self.now()))

    def due(self, num: int) -> None:
        """A waiting sheet's time has come."""
        self.take(self._machine.due(num, self.now()))

    def look_at_clock(self, timeout: float) -> float | None:
        """Ends the job if it has run for more than ``timeout`` seconds.

        Returns the seconds until the next look; None when there is nothing more to look for.
        """
        now = self.now()
        self.take(self._machine.tick(now, timeout))
        return self._machine.next_tick(timeout)

    def now(self) -> float:
        """The wall clock's time, by which everything in here is kept. If it was set meanwhile, what
        waits has moved along."""
        by = self._clock.moved()
        if by:
            self.take(self._machine.clock_set(by))
        return time.time()

    # -- carrying out ---------------------------------------------------------------------------

    def take(self, step: Step) -> None:
        """Does at once what may be done at once; the rest waits for its commit."""
        self._shelf.drop(self._machine.job.job_id)
        for effect in step.now:
            self._do(effect)
        step.now.clear()
        self._step.extend(step)

    def hold(self, on: bool) -> None:
        """All that runs stands still from now on, or goes on."""
        ledger = self._machine.ledger
        if ledger.work.is_held is not on:
            step = Step()
            ledger.hold(step, on, self.now())
            self.take(step)
        self._hands.hold(on)

    def add(self, change: Change) -> None:
        """A change of the carrier's own, for the transaction of what is decided now."""
        self._step.changes.append(change)

    def decided(self) -> Step:
        """All that is to be committed together, and is then to be handed to ``committed``."""
        step, self._step = self._step, Step()
        self._under_way += bool(step)
        return step

    def committed(self, step: Step) -> None:
        """A step's changes are on disk: now what follows from them."""
        self._under_way -= bool(step)
        self._sheets.committed(step.changes)
        for effect in step.after:
            self._do(effect)
        ended = False
        for change in step.changes:
            if type(change) is AddEvent:
                self._tell(change)
                ended = ended or change.event in ENDS_OF_SHEETS
            elif type(change) is UpdateJob:
                self._kept(change.fields)
        if ended:  # once for all that came together
            progress, job_id = self._sheets.progress(), self._machine.job.job_id
            self._service.progressed(job_id, progress["completed"], progress["total"])

    def _kept(self, fields: Mapping[str, Any]) -> None:
        for name, value in fields.items():
            setattr(self._on_disk, name, value)
        self._shelf.drop(self._on_disk.job_id)
        if "status" in fields:
            self._service.state(self.summary())

    def _tell(self, change: AddEvent) -> None:
        job_id = self._machine.job.job_id
        self._service.happened(job_id, change.sheet_num, change.event, dict(change.data))

    def _do(self, effect: Effect) -> None:
        hands = self._hands
        match effect:
            case Run():
                hands.run(effect)
            case Acknowledge(serial):
                hands.acknowledge(serial)
            case Release(num):
                hands.release(num)
            case Complete(num, success):
                hands.complete(num, success)
            case Requeue(info):
                hands.requeue(info)
            case Unblock(num):
                self.due(num)
            case WakeAt(num, due_at):
                hands.wake_at(num, due_at)
            case Register():
                if self._machine.ledger.plan.grown:
                    # What runs sheets may have been started, or told, before the last of them.
                    hands.grow(self._machine.ledger.plan.grown, (), {})
                hands.register(effect, self._machine.limit(), self._pools())
            case Deregister():
                hands.deregister()
            case Grow(growth):
                self._grow(growth)
            case Withdraw():
                hands.withdraw()
            case EndSheets(nums, category):
                hands.end_sheets(nums, category)
            case RateLimited(pool, seconds, num):
                self._service.limited(pool, seconds, self._machine.job.job_id, num)
            case Finish(status):
                hands.finish(status)

    def _grow(self, growth: Growth) -> None:
        """The new sheets wait for the one that made the list, of which the queue is told next."""
        ledger, source = self._machine.ledger, growth.source
        new = range(growth.first, growth.first + len(growth.items))
        needs: dict[int, Collection[int]] = dict.fromkeys(new, (source,))
        for num in ledger.dependents(source):
            if num < growth.first and ledger.plan.sheet(num).when == "succeeded":
                needs[num] = new
        self._hands.grow((growth,), [ledger.info(ledger.peek(num)) for num in new], needs)

    def _pools(self) -> dict[str, int | None]:
        """The limits of the instruments that the job's sheets play, by limit key; None where there
        is none, or none any more."""
        return {
            instrument.limit_key: instrument.max_concurrent
            for sheet in self._machine.ledger.plan.written
            for instrument in (sheet.instrument, *sheet.fallbacks)
        }
