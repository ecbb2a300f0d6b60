"""The actor around one admitted job's state machine.

It feeds the machine (:mod:`marianne.daemon.job_machine`) with grants, results and timers, and
carries out its steps: what may be done at once at once, the rest after the commit. Steps that
come together are committed together.

What a restart finds: every committed step. Results that were not committed are still in the
worker's spool and are said again; grants that were not committed are asked from the scheduler
anew, and a sheet that was started without its start being committed is found in the worker's
hello.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

from actors import Actor, Future, Outcome, Promise
from ipc import codec
from marianne.daemon import wire
from marianne.daemon.context import Context
from marianne.daemon.effects import (
    Acknowledge,
    Complete,
    Deregister,
    Effect,
    EndSheets,
    Finish,
    RateLimited,
    Register,
    Release,
    Requeue,
    Run,
    Step,
    WakeAt,
)
from marianne.daemon.job_machine import JobMachine
from marianne.daemon.rates import RateLimitCoordinator
from marianne.daemon.refusal import Refused
from marianne.daemon.scheduler import GlobalSheetScheduler
from marianne.daemon.store import FORGET_DEADLINE, WRITE_DEADLINE, Store
from marianne.daemon.worker import Worker
from marianne.environment import search_path
from marianne.instruments.present import look_again
from marianne.run.result import AttemptResult
from marianne.score.pack import unpack_plan
from marianne.state.changes import RememberReply, SetMeta
from marianne.state.models import JobStatus
from marianne.state.reader import Reader


class Job(Actor):
    """One per admitted job; ``job:<id>/job``. A significant child: its normal end ends the job's
    supervisor."""

    def __init__(self, context: Context, job_id: str) -> None:
        super().__init__()
        self._context = context
        self._job_id = job_id
        self._worker = context.worker(job_id)
        self._scheduler = context.scheduler
        self._step = Step()
        self._runs: list[Run] = []
        self._serials: list[int] = []
        self._answers: list[tuple[Promise[dict[str, Any]], dict[str, Any]]] = []
        self._heard: set[str] = set()
        self._writing = 0
        self._ended: JobStatus | None = None
        self._over = False

    def on_start(self) -> None:
        """Reads the checkpoint; asks the worker what runs, or goes on ending a job that is over."""
        self._context.store.within(FORGET_DEADLINE).ask(Store.forget, self.name)
        with Reader(self._context.home.db) as reader:
            job = reader.job(self._job_id)
            if job is None:
                raise LookupError(f"no job {self._job_id} in the database")
            plan = unpack_plan(reader.plan(self._job_id))
            path = search_path(codec.unpack(reader.environment(self._job_id)))
            rows = {row.num: row for row in reader.sheets(self._job_id)}
        self._machine = JobMachine(look_again(plan, path), job, rows, random.random)
        if job.status.terminal or job.status is JobStatus.PAUSED:
            self._finish(job.status)
        else:
            self._worker.tell(Worker.report)

    def on_idle(self) -> None:
        """Everything that waited is decided: send and commit it in one go."""
        self._flush()

    # -- from the worker ------------------------------------------------------------------------

    def worker_up(self, hello: dict[str, Any]) -> None:
        """The worker lives: take the results that were missed, then go on from what runs."""
        self.results(hello["unacked"])
        running = [(num, attempt) for num, attempt in (*hello["running"], *hello["queued"])]
        ended = [(num, attempt) for num, attempt in hello.get("ended", ())]
        self._take(self._machine.recover(running, time.time(), ended))

    def results(self, results: Sequence[dict[str, Any]]) -> None:
        """Attempts ended. Idempotent: a result may come any number of times."""
        now = time.time()
        for result in results:
            self._take(self._machine.result(AttemptResult.from_map(result), now))

    def started(self, sheets: Sequence[Sequence[Any]]) -> None:
        """Attempts began in the worker: their true start times, shown until the result comes."""
        for num, attempt, _pid, started_at in sheets:
            self._machine.began(num, attempt, started_at)

    # -- from the scheduler and timers ----------------------------------------------------------

    def granted(self, nums: Sequence[int]) -> None:
        """The scheduler gives these sheets a slot each."""
        now = time.time()
        for num in nums:
            self._take(self._machine.grant(num, now))

    def due(self, num: int) -> None:
        """A waiting sheet's time has come."""
        self._take(self._machine.due(num, time.time()))

    def press(self) -> None:
        """Pressure: running sheets finish, nothing new starts until :meth:`relieve`."""
        self._take(self._machine.pause("pressure", time.time()))

    def relieve(self) -> None:
        """The pressure has ended: a pause for its sake that is not in force yet is taken back."""
        job = self._machine.job
        if job.status is JobStatus.PAUSING and job.reason == "pressure":
            self._take(self._machine.resume(time.time()))

    def end_for_resources(self, num: int) -> None:
        """This sheet alone uses far more than there may be: end it; that counts as an attempt."""
        self._worker.tell(Worker.end_sheets, [num], "resource_limit")

    def limit_ended(self, nums: Sequence[int]) -> None:
        """A rate limit was lifted: what waits for it need not wait for its time."""
        now = time.time()
        for num in nums:
            self._take(self._machine.limit_ended(num, now))

    # -- from the manager -----------------------------------------------------------------------

    # A wish is answered when it is on disk, with its reply under ``request_id``.

    def pause(self, reason: str, request_id: str | None = None) -> Promise[dict[str, Any]]:
        """Running sheets finish, nothing new starts. Answers the id and the status then.

        Refuses with ``conflict`` when the job is paused or over.
        """
        job = self._machine.job
        if job.status is JobStatus.PAUSED or job.status.terminal:
            raise Refused("conflict", f"job {self._job_id} is {job.status} already")
        self._hear(request_id)
        return self._wish(self._machine.pause(reason, time.time()), request_id)

    def resume(self, request_id: str | None = None) -> Promise[dict[str, Any]]:
        """Takes back a pause that has not come into force. Answers the id and the status then.

        Refuses with ``conflict`` when nothing pauses, ``unavailable`` when it has just paused.
        """
        status = self._machine.job.status
        if status is JobStatus.PAUSED:
            raise Refused("unavailable", f"job {self._job_id} is just being put away")
        if status is not JobStatus.PAUSING:
            raise Refused("conflict", f"job {self._job_id} is {status}: nothing to resume")
        if self._machine.job.reason == "modify":
            raise Refused(
                "conflict", f"job {self._job_id} goes on by itself, with its new score, in a moment"
            )
        self._hear(request_id)
        return self._wish(self._machine.resume(time.time()), request_id)

    def modify(
        self, plan: SetMeta, reply: dict[str, Any], request_id: str | None = None
    ) -> Promise[dict[str, Any]]:
        """Pauses, to go on with another plan, which is kept in the same transaction.

        Answers ``reply``. Refuses with ``conflict`` when the job is ending, ``unavailable`` when
        it has just paused.
        """
        status = self._machine.job.status
        if status is JobStatus.PAUSED:
            raise Refused("unavailable", f"job {self._job_id} is just being put away")
        if status.terminal or status is JobStatus.CANCELLING:
            raise Refused("conflict", f"job {self._job_id} is {status}")
        self._hear(request_id)
        step = self._machine.pause("modify", time.time())
        step.changes.insert(0, plan)
        return self._wish(step, request_id, reply)

    def cancel(self, request_id: str | None = None) -> Promise[dict[str, Any]]:
        """Ends running sheets. Answers the id and the status; the job's end comes by itself."""
        self._hear(request_id)
        return self._wish(self._machine.cancel(time.time()), request_id)

    def _hear(self, request_id: str | None) -> None:
        """Refuses a request that came before: asked once more, it finds its reply."""
        if request_id is None:
            return
        with Reader(self._context.home.db) as reader:
            if request_id in self._heard or reader.reply(request_id) is not None:
                raise Refused("unavailable", "this is being done already")
        self._heard.add(request_id)

    def _wish(
        self, step: Step, request_id: str | None, reply: dict[str, Any] | None = None
    ) -> Promise[dict[str, Any]]:
        reply = reply or {"job_id": self._job_id, "status": str(self._machine.job.status)}
        if request_id is not None:
            step.changes.append(RememberReply(request_id, codec.pack(reply), time.time()))
        self._take(step)
        promise: Promise[dict[str, Any]] = self.promise()
        self._answers.append((promise, reply))
        return promise

    def _answer(self, answers: Sequence[tuple[Promise[dict[str, Any]], dict[str, Any]]]) -> None:
        for promise, reply in answers:
            promise.set(reply)
        if not self._answers:
            self._heard.clear()  # they are all on disk

    def kept_back(self) -> dict[int, dict[str, Any]]:
        """Sheets that the job keeps back itself: ``code`` (pacing, breaker), ``text``, ``data``."""
        return {
            num: {"code": why.code, "text": why.text, "data": dict(why.data)}
            for num, why in self._machine.kept_back().items()
        }

    def summary(self) -> dict[str, Any]:
        """The job without its sheets, as ``list`` shows it."""
        return wire.job_map(self._machine.job, self._machine.progress())

    def status(self, first: int, last: int) -> dict[str, Any]:
        """The job with sheets ``first`` to ``last`` (1-based, inclusive)."""
        machine = self._machine
        last = min(last, len(machine.plan.sheets))
        sheets = wire.sheet_maps(machine.plan, machine.rows, range(max(1, first), last + 1))
        return {**self.summary(), "sheets": sheets}

    # -- carrying out ---------------------------------------------------------------------------

    def _take(self, step: Step) -> None:
        for effect in step.now:
            self._do(effect)
        step.now.clear()
        self._step.extend(step)

    def _flush(self) -> None:
        if self._runs:
            self._worker.tell(Worker.run, self._runs)
            self._runs = []
        if self._step or self._answers:
            step, self._step = self._step, Step()
            answers, self._answers = self._answers, []
            store = self._context.store.within(WRITE_DEADLINE)
            written = store.call(Store.write, step.changes, self.name)
            self._writing += 1
            self.pipe(written, self.committed, step.after, answers)
        if self._serials:
            self._worker.tell(Worker.acknowledge, self._serials)
            self._serials = []

    def committed(
        self,
        outcome: Outcome[Any],
        after: Sequence[Effect],
        answers: Sequence[tuple[Promise[dict[str, Any]], dict[str, Any]]],
    ) -> None:
        """A transaction is on disk: now its consequences. If it failed, start over from disk."""
        if outcome.error is not None:
            raise outcome.error
        self._writing -= 1
        self._answer(answers)
        for effect in after:
            self._do(effect)
        self._stop_if_done()

    def _do(self, effect: Effect) -> None:
        job_id = self._job_id
        match effect:
            case Run():
                self._runs.append(effect)
            case Acknowledge(serial):
                self._serials.append(serial)
            case Release(num):
                self._scheduler.tell(GlobalSheetScheduler.release, job_id, num)
            case Complete(num, success):
                self._scheduler.tell(GlobalSheetScheduler.mark_complete, job_id, num, success)
            case Requeue(info):
                self._scheduler.tell(GlobalSheetScheduler.requeue, info)
            case WakeAt(num, due_at):
                self.send_after(max(0.0, due_at - time.time()), self.due, num)
            case Register(sheets, dependencies, running, waiting):
                self._scheduler.tell(
                    GlobalSheetScheduler.register_job,
                    job_id,
                    list(sheets),
                    dependencies,
                    running=running,
                    waiting=waiting,
                    max_concurrent=self._machine.plan.max_concurrent,
                    pools=self._pools(),
                )
            case Deregister():
                self._scheduler.tell(GlobalSheetScheduler.deregister_job, job_id)
            case EndSheets(nums, category):
                self._worker.tell(Worker.end_sheets, nums, category)
            case RateLimited(pool, seconds):
                self._context.rates.tell(RateLimitCoordinator.report, pool, seconds, job_id)
            case Finish(status):
                self._finish(status)

    def _pools(self) -> dict[str, int]:
        pools: dict[str, int] = {}
        for sheet in self._machine.plan.sheets:
            for instrument in (sheet.instrument, *sheet.fallbacks):
                if instrument.max_concurrent is not None:
                    pools[instrument.limit_key] = instrument.max_concurrent
        return pools

    def _finish(self, status: JobStatus) -> None:
        if self._ended is None:
            self._ended = status
            ended: Future[Any] = self._worker.within(None).call(Worker.finish)
            self.pipe(ended, self.worker_finished)

    def worker_finished(self, outcome: Outcome[Any]) -> None:
        """No process of the job is left: end normally, which ends the job's supervisor."""
        if outcome.error is not None:
            raise outcome.error
        self._over = True
        self._flush()
        self._stop_if_done()

    def _stop_if_done(self) -> None:
        # Whoever watches us reads the job from disk when we end: it has to be there.
        if self._over and not self._writing:
            self.stop()
