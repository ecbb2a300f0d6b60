"""The execution of one job without a conductor, in this process, in the foreground.

The same state machine decides (:mod:`marianne.daemon.job_machine`), the same queue grants, the same
worker runs the sheets (:mod:`marianne.run.worker`); only what lies between them differs: no
database, no socket, one loop. Ending this process ends the job.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ipc import codec
from marianne.daemon import wire
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
from marianne.daemon.output import NullOutput, OutputProtocol
from marianne.run import procfs
from marianne.run.confine import become_subreaper
from marianne.run.loop import Loop
from marianne.run.result import AttemptResult
from marianne.run.tools import Tools
from marianne.run.worker import JobWorker
from marianne.schedule.queue import SheetQueue
from marianne.score.pack import pack_plan
from marianne.score.plan import Plan
from marianne.state.changes import AddEvent
from marianne.state.models import JobRow, JobStatus

SHEETS_AT_ONCE = 25
GRACE = 10.0


class JobService:
    """Runs jobs here and now. ``output`` is told what happens (default: nobody)."""

    def __init__(self, *, output: OutputProtocol | None = None) -> None:
        self._output = output or NullOutput()

    def run_job(self, plan: Plan, job_id: str, environment: Mapping[str, str]) -> dict[str, Any]:
        """Runs every sheet and answers the job's status map, as ``job.status`` does.

        For the main thread of a process that has no other children. A job that was interrupted
        (SIGINT, SIGTERM) is answered as ``running``.
        """
        job = JobRow(
            job_id=job_id,
            name=plan.name,
            status=JobStatus.RUNNING,
            workspace=plan.workspace,
            submitted_at=time.time(),
            sheet_count=len(plan.sheets),
            config_path=plan.score_path,
            started_at=time.time(),
            config_hash=plan.config_hash,
        )
        Path(plan.workspace).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="marianne-local-") as place:
            Path(place, "plan").write_bytes(pack_plan(plan))
            env = Path(place, "env")
            env.touch(mode=0o600)
            env.write_bytes(codec.pack(dict(environment)))
            become_subreaper()
            line = LocalLine(JobMachine(plan, job, {}, random.random), self._output)
            settings = {
                "job_id": job_id,
                "job_dir": place,
                "owner": os.urandom(16).hex(),
                "conductor_pid": os.getpid(),
                "conductor_start_time": procfs.start_time(os.getpid()) or 0,
                "orphan_grace_seconds": GRACE,
                "sheet_grace_seconds": GRACE,
            }
            worker = JobWorker(settings, line, Tools())
            line.loop = worker.loop
            self._output.job_event(job_id, "started", {"sheets": len(plan.sheets)})
            worker.run()
            line.close()
        return line.status()


class LocalLine:
    """The worker's line to a conductor that is this object. Everything happens in ``drain``, so
    that nothing of the worker is entered twice."""

    loop: Loop

    def __init__(self, machine: JobMachine, output: OutputProtocol) -> None:
        self._machine = machine
        self._output = output
        self._queue = SheetQueue(SHEETS_AT_ONCE)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._said: list[dict[str, Any]] = []
        self._due: list[int] = []
        self._answers: list[dict[str, Any]] = []

    waiting = 0

    def fileno(self) -> int:
        """Readable when there is something to do."""
        return self._wake

    def close(self) -> None:
        """Nothing will be said any more."""
        os.close(self._wake)

    def send(self, message: dict[str, Any]) -> None:
        """What the worker says; thought about at the next turn of the loop."""
        self._said.append(message)
        self._ring()

    def drain(self) -> list[dict[str, Any]]:
        """Thinks about what was said, and answers what the worker is to do."""
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            pass
        said, self._said = self._said, []
        for message in said:
            self._hear(message)
        due, self._due = self._due, []
        for num in due:
            self._take(self._machine.due(num, time.time()))
        while (entry := self._queue.grant(time.time())) is not None:
            self._take(self._machine.grant(entry.info.sheet_num, time.time()))
        answers, self._answers = self._answers, []
        return answers

    def status(self) -> dict[str, Any]:
        """The job with all its sheets, as ``job.status`` answers it."""
        machine = self._machine
        nums = range(1, len(machine.plan.sheets) + 1)
        sheets = wire.sheet_maps(machine.plan, machine.rows, nums)
        return {**wire.job_map(machine.job, machine.progress()), "sheets": sheets}

    # -- thinking -------------------------------------------------------------------------------

    def _hear(self, message: dict[str, Any]) -> None:
        now = time.time()
        if message["kind"] == "hello":
            pid = os.getpid()
            welcome = {"kind": "welcome", "pid": pid, "start_time": procfs.start_time(pid)}
            self._answers.append(welcome)
            for result in message["unacked"]:
                self._take(self._machine.result(AttemptResult.from_map(result), now))
            running = [(num, attempt) for num, attempt in (*message["running"], *message["queued"])]
            self._take(self._machine.recover(running, now))
        elif message["kind"] == "results":
            for result in message["results"]:
                self._take(self._machine.result(AttemptResult.from_map(result), now))
        elif message["kind"] == "started":
            for num, attempt, _pid, started_at in message["sheets"]:
                self._machine.began(num, attempt, started_at)

    def _take(self, step: Step) -> None:
        for effect in (*step.now, *step.after):
            self._do(effect)
        for change in step.changes:
            if isinstance(change, AddEvent):
                self._tell(change)

    def _tell(self, change: AddEvent) -> None:
        kind, _, event = change.event.partition(".")
        job_id, data = self._machine.job.job_id, dict(change.data)
        if kind == "sheet" and change.sheet_num is not None:
            self._output.sheet_event(job_id, change.sheet_num, event, data)
            if event in ("completed", "failed", "skipped"):
                progress = self._machine.progress()
                self._output.progress(job_id, progress["completed"], progress["total"])
        else:
            self._output.job_event(job_id, event, data)

    def _do(self, effect: Effect) -> None:
        job_id, now = self._machine.job.job_id, time.time()
        match effect:
            case Run():
                self._answers.append({"kind": "run", "slots": None, "sheets": [_grant(effect)]})
            case Acknowledge(serial):
                self._answers.append({"kind": "ack", "serials": [serial]})
            case Release(num):
                self._queue.release(job_id, num)
            case Complete(num, success):
                self._queue.complete(job_id, num, success, now)
            case Requeue(info):
                self._queue.requeue(job_id, info.sheet_num, now=now, info=info)
            case WakeAt(num, due_at):
                self._later(due_at - now, num)
            case Register(sheets, dependencies, running, waiting):
                self._queue.register(
                    job_id,
                    list(sheets),
                    dependencies,
                    now=now,
                    running=running,
                    waiting=waiting,
                    max_concurrent=self._machine.plan.max_concurrent,
                    pools=_pools(self._machine.plan),
                )
            case Deregister():
                self._queue.deregister(job_id)
            case EndSheets(nums, category):
                ended = {"kind": "cancel", "sheets": list(nums), "category": category}
                self._answers.append({**ended, "grace": GRACE})
            case RateLimited(pool, seconds):
                self._queue.block(pool, now + seconds)
                self.loop.call_later(seconds + 0.01, self._ring)
            case Finish():
                self._answers.append({"kind": "stop", "grace": GRACE, "category": "cancelled"})

    def _later(self, seconds: float, num: int) -> None:
        def come_due() -> None:
            self._due.append(num)
            self._ring()

        self.loop.call_later(max(0.0, seconds), come_due)

    def _ring(self) -> None:
        os.eventfd_write(self._wake, 1)


def _grant(run: Run) -> dict[str, Any]:
    return {
        "num": run.num,
        "attempt": run.attempt,
        "fallback": run.fallback,
        "completion": run.completion,
        "outputs": run.outputs,
        "skipped": list(run.skipped),
        "delay": 0.0,
    }


def _pools(plan: Plan) -> dict[str, int | None]:
    return {
        instrument.limit_key: instrument.max_concurrent
        for sheet in plan.sheets
        for instrument in (sheet.instrument, *sheet.fallbacks)
        if instrument.max_concurrent is not None
    }
