"""A manager with a real store and a real database; starting jobs' actors succeeds when told so."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from context_stage import context_in

from actors import Actor, ActorRef, ChildSpec, System
from marianne.daemon.config import DaemonConfig
from marianne.daemon.context import Context
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.services.store import Store
from marianne.daemon.worker.beside import Beside
from marianne.daemon.worker.executor import LocalExecutor
from marianne.home import Home
from marianne.model.plan import Instrument, Plan, Prompt, SheetPlan
from marianne.model.result import AttemptResult
from marianne.run.spool import Spool
from marianne.score.pack import pack_plan
from marianne.state.changes import Change, InsertJob
from marianne.state.database import Database
from marianne.state.models import JobRow, JobStatus
from marianne.state.reader import Reader

PLAN = Plan(
    "job", "/w", (SheetPlan(1, "one", 1, Instrument("shell"), Prompt("true")),), total_stages=1
)


class Supervised(Actor):
    """In place of a job's supervisor."""


class Starter(Actor):
    """In place of the supervisor of jobs: ``answers`` are what the next starts come to."""

    def __init__(self, answers: deque[Any], asked: list[str]) -> None:
        self._answers, self._asked = answers, asked

    def start_child(self, spec: ChildSpec) -> ActorRef[Any] | None:
        """Starts a stand-in, or raises what was said."""
        self._asked.append(spec.id)
        answer = self._answers.popleft() if self._answers else None
        if callable(answer):
            answer = answer(spec)
        if isinstance(answer, BaseException):
            raise answer
        return self.system.spawn(Supervised, name=spec.id)


class Stage:
    """One home; ``answers`` are what starts come to, ``asked`` the jobs that were to be started."""

    def __init__(self, place: Path, **settings: Any) -> None:
        self.home = Home(place)
        self.system = System("stage")
        self.context = context_in(place, self.system, DaemonConfig(**settings), kind=Context)
        self.executor = LocalExecutor(self.context)
        self.context.executor = self.executor
        self.answers: deque[Any] = deque()
        self.asked: list[str] = []
        self.manager = self.system.handle(ManagerActor, "manager")

    def insert(self, *job_ids: str, status: JobStatus = JobStatus.QUEUED) -> None:
        """Jobs of one sheet, as an earlier conductor left them."""
        plan = pack_plan(PLAN)
        self.write(
            *(
                InsertJob(JobRow(job, job, status, f"/w/{job}", 1.0, 1), plan, "", b"\x80")
                for job in job_ids
            )
        )

    def write(self, *changes: Change) -> None:
        with Database(self.home.db) as database:
            database.write(changes)

    def spool(self, job_id: str, result: AttemptResult) -> None:
        """An attempt ended, and only its worker's spool knows."""
        directory = self.home.job_dir(job_id)
        directory.mkdir(parents=True)
        spool = Spool(str(directory / "spool"))
        spool.append(result.to_map())
        spool.close()

    def begin(self) -> None:
        """Store, what runs beside the jobs, starter and manager, in this order."""
        self.system.spawn(Store, self.context, name="store")
        self.system.spawn(Beside, self.context, self.executor.fleet, name="beside")
        self.system.spawn(Starter, self.answers, self.asked, name="jobs")
        self.system.spawn(ManagerActor, self.context, name="manager")

    def job(self, job_id: str) -> JobRow:
        with Reader(self.home.db) as reader:
            return cast("JobRow", reader.job(job_id))

    def is_up(self, job_id: str) -> bool:
        return self.system.whereis(f"job:{job_id}") is not None

    def leave(self, job_id: str, **fields: Any) -> None:
        """The job's actors end, and have left the row so."""
        from marianne.state.changes import UpdateJob

        store = self.system.handle(Store, "store")
        store.ask(Store.write, [UpdateJob(job_id, fields)])
        ref = self.system.whereis(f"job:{job_id}")
        assert ref is not None
        self.system.stop(ref)

    def close(self) -> None:
        self.system.shutdown(timeout=5.0)


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The condition's first true value."""
    deadline, never = time.monotonic() + seconds, threading.Event()
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited too long"
        never.wait(0.01)
    return value
