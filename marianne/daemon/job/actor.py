"""The actor that runs one admitted job in the conductor.

The rules are :class:`~marianne.daemon.job.execution.Execution`'s; here are its hands: the
scheduler, the job's worker, the store, timers. Steps that come together are committed together.

What a restart finds: every committed step. Results that were not committed are still in the
worker's spool and are said again; grants that were not are asked from the scheduler anew; a sheet
that was started without its start being committed is found in the worker's hello.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from actors import Actor, ExitReason, Outcome, Promise, Timer
from ipc import codec
from marianne.daemon.context import Context
from marianne.daemon.job.catch_up import catch_up
from marianne.daemon.job.dispatch import Dispatch
from marianne.daemon.job.door import JobDoor
from marianne.daemon.job.endings import MODIFY, PENDING
from marianne.daemon.job.execution import Execution
from marianne.daemon.job.machine import JobMachine
from marianne.daemon.job.runners import Runners
from marianne.daemon.ports import Ticket
from marianne.daemon.services.store import FORGET_DEADLINE, WRITE_DEADLINE, Store
from marianne.daemon.shared.effects import Step
from marianne.daemon.shared.exceptions import JobSubmissionError
from marianne.daemon.shared.idempotency import reply_row
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.part import used_by
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.shared.status_cache import Packed
from marianne.daemon.views import wire
from marianne.environment import search_path
from marianne.instruments.present import look_again
from marianne.model.placement import bound
from marianne.score.pack import unpack_plan
from marianne.state.changes import SetMeta
from marianne.state.models import NOW, JobRow, JobStatus, SheetRow
from marianne.state.reader import Reader

if TYPE_CHECKING:
    from marianne.replies import job as replies
    from marianne.replies.changes import Changed, Modified
    from marianne.replies.job import SheetMap
    from marianne.replies.reports import Reason

R = TypeVar("R")
Words = tuple[str, str | None]

log = get_logger(__name__)

GOES_ON = "job {} goes on by itself, with its new score, in a moment"
"""Why a pause for the sake of a modify is not taken back."""


class Job(Actor):
    """One per admitted job; ``job:<id>/job``. Its normal end ends the job's supervisor."""

    def __init__(self, context: Context, job_id: str) -> None:
        super().__init__()
        self._context = context
        self._job_id = job_id
        self._answers: list[tuple[Promise[Any], Any]] = []
        self._heard: set[str] = set()
        self._writing = 0
        self._ended: JobStatus | None = None
        self._over = self._up = self._replanned = False
        self._clock: Timer | None = None

    def on_start(self) -> None:
        """Reads the checkpoint; asks the worker what runs, or goes on ending a job that is over."""
        entry = self._context.entries.pop(self._job_id, None)
        rows: dict[int, SheetRow] = {}
        if entry is not None:
            job, plan, environment = entry.row, entry.plan, entry.environment
        else:
            job, rows, plan, environment = self._from_disk()
        path, here = search_path(codec.unpack(environment)), self._context.config.executor
        known = bound(look_again(unpack_plan(plan), path), here)
        self._machine = JobMachine(known, job, rows, random.random)
        self._machine.ledger.replanned = self._replanned
        self._runners = Runners(self._context, self._job_id, used_by(job, here))
        self._hands = Dispatch(self, self._context, self._job_id, self._runners)
        service, shelf = self._context.service, self._context.status_cache
        self._execution = Execution(self._machine, self._hands, service, shelf)
        service.open(self._job_id, JobDoor(self._context, self._job_id, self._execution.workspace))
        if job.status.terminal or job.status is JobStatus.PAUSED:
            self.finish(job.status)
        elif entry is not None and entry.blank and self._runners.alone:
            self._go_on_from({"unacked": ()})
        else:
            self._machine.knows_what_runs = False
            self._runners.report(self.incarnation)
            if job.status is JobStatus.CANCELLING:
                self._cancel_anew()

    def _from_disk(self) -> tuple[JobRow, dict[int, SheetRow], bytes, bytes]:
        self._context.store.within(FORGET_DEADLINE).ask(Store.forget, self.name)
        self._context.status_cache.drop(self._job_id)  # an earlier incarnation may have told more
        with Reader(self._context.home.db) as reader:
            job = reader.job(self._job_id)
            if job is None:
                raise LookupError(f"no job {self._job_id} in the database")
            rows = {row.num: row for row in reader.sheets(self._job_id)}
            self._replanned = reader.meta(PENDING + self._job_id) is not None
            return job, rows, reader.plan(self._job_id), reader.environment(self._job_id)

    def on_stop(self, reason: ExitReason) -> None:
        """Nobody is let in any more."""
        self._context.service.close(self._job_id)

    def on_idle(self) -> None:
        """Everything that waited is decided: send and commit it in one go."""
        self._flush()

    # -- from the worker ------------------------------------------------------------------------

    def worker_up(self, hello: dict[str, Any], asker: int) -> None:
        """The worker lives: take the results that were missed, then go on from what runs. What
        another incarnation asked for may be older than what it had the worker begin."""
        if asker == self.incarnation:
            self._go_on_from(hello)
        else:
            self.results(hello["unacked"])

    def _go_on_from(self, hello: dict[str, Any]) -> None:
        self._up, self._hands.held = True, bool(hello.get("held"))
        lost = self._execution.worker_up(hello)
        self._note_progress()
        why = self._context.losses.lost(self._job_id) if lost else None
        if why is not None:
            log.error("job_lost_its_worker", job_id=self._job_id, sheets=lost, why=why)
            self._execution.take(self._machine.lost_too_often(lost, why, self._execution.now()))
        if self._context.resources.is_accepting_work():
            self.relieve()  # who tells of a pressure's end may have told it before we were there
        self.look_at_clock()

    def _note_progress(self) -> None:
        if self._machine.take_ended():
            self._context.losses.progress(self._job_id)

    def results(
        self, results: Sequence[dict[str, Any]], started: Sequence[Sequence[Any]] = ()
    ) -> None:
        """Attempts ended, others (sheet, attempt, time, walls, node) began; any number of times."""
        self._execution.results(results)
        self._note_progress()
        self._execution.started(started)

    def of_part(self, executor: str, said: str, args: Sequence[Any]) -> None:
        """What one of several runners tells. It becomes what one would tell, when all have."""
        told = self._runners.several.heard(executor, said, args, self.incarnation)
        if told is not None:
            getattr(self, told[0])(*told[1])

    # -- from the scheduler and timers ----------------------------------------------------------

    def granted(
        self, nums: Sequence[int], ahead: Sequence[int], slots: int, ticket: Ticket | None
    ) -> None:
        """The scheduler gives ``nums`` a slot each, so that the job holds ``slots``; those
        ``ahead`` may begin as others of the job end. What an earlier registration was granted is
        void: the scheduler is told what runs, and grants the rest anew."""
        if not self._up or ticket != self._hands.ticket:
            return
        self._hands.granted(slots)
        self._execution.granted(nums, ahead)

    def withdrawn(self, sheets: Sequence[Sequence[int]]) -> None:
        """The worker gave back what it had been granted ahead and had not begun."""
        self._execution.withdrawn(sheets)

    def due(self, num: int) -> None:
        """A waiting sheet's time has come."""
        self._execution.due(num)

    def look_at_clock(self) -> None:
        """Has the job run for too long? Its time is up, or this is asked again."""
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
        went = self._machine.job.status in (JobStatus.RUNNING, JobStatus.PAUSING)
        again = self._execution.look_at_clock(self._context.config.job_timeout_seconds)
        if again is not None:
            self._clock = self.send_after(again, self.look_at_clock)
        elif went:
            log.error("job_timed_out", job_id=self._job_id, error=self._machine.job.error)
            self._context.failures.note(time.monotonic())

    def press(self) -> None:
        """Pressure: running sheets finish, nothing new starts until :meth:`relieve`. A job that
        pauses already does so for its own reason, and goes on by that."""
        if self._machine.job.status is JobStatus.PAUSING:
            return
        self._execution.take(self._machine.pause("pressure", self._execution.now()))

    def relieve(self) -> None:
        """The pressure has ended: a pause for its sake that is not in force yet is taken back."""
        job = self._machine.job
        if job.status is JobStatus.PAUSING and job.reason == "pressure":
            self._execution.take(self._machine.resume(self._execution.now()))

    def end_for_resources(self, num: int) -> None:
        """This sheet alone uses far more than there may be: end it; that counts as an attempt."""
        self._runners.end_sheets([num], "resource_limit")

    def limit_ended(self, nums: Sequence[int]) -> None:
        """A rate limit was lifted: what waits for it need not wait for its time."""
        now = self._execution.now()
        for num in nums:
            self._execution.take(self._machine.limit_ended(num, now))

    # -- from the manager -----------------------------------------------------------------------

    # A wish is answered when it is on disk, with its reply under ``request_id``.

    def pause(self, reason: str, request_id: str | None = None) -> Promise[Changed]:
        """Nothing new starts; running sheets finish, or for the reason ``NOW`` stand still. Returns
        the id and the status then.

        Refuses with ``conflict`` when the job is paused, over, or being cancelled; ``unavailable``
        when it has just paused for pressure, which would end by itself.
        """
        job = self._machine.job
        if job.status is JobStatus.PAUSED and job.reason == "pressure":
            raise Refused("unavailable", f"job {self._job_id} is just being put away")
        self._hear(request_id)
        try:
            self._execution.pause(NOW if self._hands.held and reason == "person" else reason)
        except JobSubmissionError as error:
            self._heard.discard(request_id or "")
            raise Refused("conflict", str(error)) from None
        return self._wish(request_id, self._changed())

    def resume(self, request_id: str | None = None) -> Promise[Changed]:
        """Takes back a pause that has not come into force. Returns the id and the status then.

        Refuses with ``conflict`` when nothing pauses, ``unavailable`` when it has just paused or
        come to its end.
        """
        status = self._machine.job.status
        if status is JobStatus.PAUSED or status.terminal:
            raise Refused("unavailable", f"job {self._job_id} is just being put away")
        if status is not JobStatus.PAUSING:
            raise Refused("conflict", f"job {self._job_id} is {status}: nothing to resume")
        if self._machine.job.reason == MODIFY:
            raise Refused("conflict", GOES_ON.format(self._job_id))
        self._hear(request_id)
        self._execution.resume()
        return self._wish(request_id, self._changed())

    def modify(
        self, plan: SetMeta, reply: Modified, words: Words, request_id: str | None = None
    ) -> Promise[Modified]:
        """Pauses, to go on with another plan, which is kept in the same transaction.

        Returns ``reply`` with the first of the ``words``; with the second where a person holds it,
        which stays so (None: it goes on). Refuses with ``conflict`` when the job is being
        cancelled, ``unavailable`` when it has just paused or come to its end.
        """
        status = self._machine.job.status
        if status is JobStatus.PAUSED or status.terminal:
            raise Refused("unavailable", f"job {self._job_id} is just being put away")
        if status is JobStatus.CANCELLING:
            raise Refused("conflict", f"job {self._job_id} is {status}")
        self._hear(request_id)
        goes_on = self._execution.replan(plan, stays=words[1] is not None)
        reply["message"] = words[0] if goes_on else words[1] or words[0]
        return self._wish(request_id, reply)

    def cancel(self, request_id: str | None = None) -> Promise[Changed]:
        """Ends running sheets. Returns the id and the status; the job's end comes by itself.

        What runs after a cancel is ended by a second one of a person, who has a request's id.
        Refuses with ``unavailable`` when what the worker has finished cannot be read just now, or
        it has just paused: then the worker ends, and would run nothing more.
        """
        if self._machine.job.status is JobStatus.PAUSED:
            raise Refused("unavailable", f"job {self._job_id} is just being put away")
        if not self._up:
            self._take_what_is_finished()
        self._hear(request_id)
        again = self._machine.job.status is JobStatus.CANCELLING and request_id is not None
        self._execution.take(self._machine.cancel(self._execution.now(), again=again))
        return self._wish(request_id, self._changed())

    def _cancel_anew(self) -> None:
        """What was to be ended may have outlived who was told so, or nobody lives who could say
        what became of it."""
        try:
            self._take_what_is_finished()
        except Refused as why:
            log.warning("cancel_waits", job_id=self._job_id, error=str(why))
            return  # the worker, once heard, tells the same
        self._execution.take(self._machine.cancel(self._execution.now()))

    def _take_what_is_finished(self) -> None:
        """Finished work outlives every decision: the worker, once heard, would tell the same."""
        try:
            finished = self._runners.finished()
        except OSError as error:
            text = f"what job {self._job_id} has finished cannot be read: {error.strerror}"
            raise Refused("unavailable", text) from None
        self._execution.take(catch_up(self._machine, finished, self._execution.now()))
        self._note_progress()

    def _hear(self, request_id: str | None) -> None:
        """Refuses a request that came before: asked once more, it finds its reply."""
        if request_id is None:
            return
        with Reader(self._context.home.db) as reader:
            if request_id in self._heard or reader.reply(request_id) is not None:
                raise Refused("unavailable", "this is being done already")
        self._heard.add(request_id)

    def _changed(self) -> Changed:
        return {"job_id": self._job_id, "status": str(self._machine.job.status)}

    def _wish(self, request_id: str | None, reply: R) -> Promise[R]:
        if request_id is not None:
            self._execution.add(reply_row(request_id, reply))
        promise: Promise[R] = self.promise()
        self._answers.append((promise, reply))
        return promise

    def _answer(self, answers: Sequence[tuple[Promise[Any], Any]]) -> None:
        for promise, reply in answers:
            promise.set(reply)
        if not self._answers:
            self._heard.clear()  # they are all on disk

    def kept_back(self) -> dict[int, Reason]:
        """Sheets that the job keeps back itself: ``code`` (pacing, breaker), ``text``, ``data``."""
        return {num: wire.reason(why) for num, why in self._machine.kept_back().items()}

    def summary(self) -> replies.Job:
        """The job without its sheets, as ``list`` shows it."""
        return self._execution.summary()

    def status(self, first: int, last: int) -> Packed:
        """The job with sheets ``first`` to ``last`` (1-based, inclusive), packed."""
        return self._execution.status(first, last)

    def map(self) -> SheetMap:
        """The job with one letter a sheet."""
        return self._execution.map()

    # -- carrying out ---------------------------------------------------------------------------

    def _flush(self) -> None:
        # First the hands: what is to run need not wait until the store has taken its turn.
        self._hands.flush(self._machine.lends())
        job = self._machine.job
        if self._up:
            # Whether this conductor could have it stand still is no matter: an earlier one had.
            self._execution.hold(job.status is JobStatus.PAUSING and job.reason == NOW)
        step = self._execution.decided()
        if step or self._answers:
            answers, self._answers = self._answers, []
            store = self._context.store.within(WRITE_DEADLINE)
            written = store.call(Store.write, step.changes, self.name)
            self._writing += 1
            self.pipe(written, self.committed, step, answers)

    def committed(
        self, outcome: Outcome[Any], step: Step, answers: Sequence[tuple[Promise[Any], Any]]
    ) -> None:
        """A transaction is on disk: now its consequences. If it failed, start over from disk."""
        if outcome.error is not None:
            raise outcome.error
        self._writing -= 1
        self._answer(answers)
        self._execution.committed(step)
        self._stop_if_done()

    def finish(self, status: JobStatus) -> None:
        """The job is over, or paused: ends its worker, then itself."""
        if self._ended is None:
            self._ended = status
            self._context.losses.progress(self._job_id)
            self.pipe(self._runners.finish(), self.worker_finished)

    def worker_finished(self, outcome: Outcome[Any]) -> None:
        """No process of the job is left: end normally, which ends the job's supervisor."""
        if outcome.error is not None:
            raise outcome.error
        self._over = True
        self._flush()
        self._hands.forget()
        self._stop_if_done()

    def _stop_if_done(self) -> None:
        # Whoever watches us reads the job from disk when we end: it has to be there.
        if self._over and not self._writing:
            self.stop()
