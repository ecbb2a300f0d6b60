"""What a part of the manager stands on: a real context and database, and nobody else.

All in the test's own thread: who stands around is made of lists (:mod:`manager_standins`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfile
from typing import Any, cast

from context_stage import context_in
from handler_stage import empty_database
from manager_standins import Disk, Executor, Others, Owed, Processes, Turns

from actors import Future, System
from marianne.daemon.config import DaemonConfig
from marianne.daemon.context import Context
from marianne.daemon.jobs.desk import Desk
from marianne.daemon.jobs.job_life import Happens
from marianne.daemon.jobs.roster import Live
from marianne.daemon.monitor import ResourceSnapshot
from marianne.daemon.shared.idempotency import RequestId
from marianne.home import Home
from marianne.model.plan import Instrument, Plan, Prompt, SheetPlan
from marianne.model.result import AttemptResult
from marianne.run.spool import Spool
from marianne.score.pack import pack_plan
from marianne.state.changes import Change, InsertJob, SaveSheet
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus

WAY_IN = (Happens.ADMIT, Happens.COMMITTED, Happens.STARTED)


def plan_of(*names: str) -> Plan:
    """Sheets of these names, each needing the one before it."""
    sheets = tuple(
        SheetPlan(n, name, n, Instrument("shell"), Prompt("true"), needs=(n - 1,) if n > 1 else ())
        for n, name in enumerate(names, 1)
    )
    return Plan("job", "/w", sheets, total_stages=len(sheets))


class StageSystem(System):
    """Without processes of its own; ``up`` are the names that somebody has."""

    up: dict[str, Any]
    children: Processes

    @property
    def processes(self) -> Any:
        return self.children

    def whereis(self, name: str) -> Any:
        return self.up.get(name)


class StageContext(Context):
    """Whose actors are stand-ins."""

    others: Others
    disk: Disk

    def _named(self, name: str) -> Any:
        made = self.others.handle(name)
        if name == "store":
            call = made.call
            made.call = lambda method, *args, **named: (
                self.disk.write(*args, **named)
                if method.__name__ == "write"
                else call(method, *args)
            )
        return made


class Stage:
    """One home and what stands around a part of the manager."""

    def __init__(self, place: Path, **settings: Any) -> None:
        self.home = Home(place)
        copyfile(empty_database(), self.home.db)
        self.system = StageSystem("stage")
        self.system.up, self.system.children = {}, Processes()
        config = DaemonConfig(**settings)
        self.context = context_in(place, self.system, config, kind=StageContext, memory_mb=1_000)
        self.executor = self.context.executor = Executor(self.context)
        self.others = self.context.others = Others(self.system)
        self.disk = self.context.disk = Disk(self.home.db, self.system)
        self.turns = Turns(self.system)
        self.desk = Desk(self.context, cast("Any", self.turns), "manager")
        self.live = self.desk.live
        self.over: list[str] = []
        self.admits = 0

    def close(self) -> None:
        self.desk.close()
        self.disk.close()
        self.system.shutdown(timeout=5.0)

    # -- callbacks ------------------------------------------------------------------------------

    def is_over(self, job_id: str) -> None:
        """For ``over``, ``closed``, ``away``."""
        self.over.append(job_id)

    def admit(self) -> None:
        """For ``admit``."""
        self.admits += 1

    # -- what there is --------------------------------------------------------------------------

    def uses(self, memory_mb: float) -> None:
        """The monitor has read this, of 1,000 MB."""
        self.context.resources.snapshot = ResourceSnapshot(time.monotonic(), memory_mb, 1, 0, 0)

    def insert(
        self,
        job_id: str,
        status: JobStatus = JobStatus.QUEUED,
        plan: Plan | None = None,
        score: str = "",
        **fields: Any,
    ) -> JobRow:
        """A job on disk that the roster does not know: one that is over, say."""
        plan = plan or plan_of("one")
        at = fields.pop("submitted_at", 1.0)
        where = fields.pop("workspace", f"/w/{job_id}")
        row = JobRow(job_id, job_id, status, where, at, len(plan.sheets), **fields)
        self.write(InsertJob(row, pack_plan(plan), score, b"\x80"))
        return row

    def lives(
        self, job_id: str, status: JobStatus = JobStatus.QUEUED, *way: Happens, **fields: Any
    ) -> Live:
        """A job on disk and in the roster, which has come so far."""
        self.insert(job_id, status, **fields)
        return self.found(job_id, *way)

    def found(self, job_id: str, *way: Happens) -> Live:
        """A job that is on disk gets into the roster."""
        self.live[job_id] = live = Live(self.job(job_id))
        for what in way:
            assert self.live.move(live, what)
        return live

    def sheet(self, job_id: str, num: int, status: SheetStatus, **fields: Any) -> None:
        self.write(SaveSheet(job_id, SheetRow(num, status, **{"attempt": 1, **fields})))

    def spool(self, job_id: str, result: AttemptResult) -> None:
        """An attempt ended, and only its worker's spool knows."""
        directory = self.home.job_dir(job_id)
        directory.mkdir(parents=True)
        spool = Spool(str(directory / "spool"))
        spool.append(result.to_map())
        spool.close()

    def write(self, *changes: Change) -> None:
        future: Future[Any] = Future(self.system, "store", None, None)
        self.disk.put(future, list(changes))
        future.get(0.0)
        self.disk.batches.pop()

    def job(self, job_id: str) -> JobRow:
        return cast("JobRow", self.desk.reader.job(job_id))

    def status(self, job_id: str) -> JobStatus:
        return self.job(job_id).status

    # -- asking ---------------------------------------------------------------------------------

    def ask(self, act: Any, *args: Any, request_id: str | None = None) -> Future[Any]:
        """As a client does; what is due is done."""
        known = None if request_id is None else RequestId(request_id, b"asked")
        promise = cast("Owed", self.desk.once(known, act, *args))
        self.turns.run()
        return promise.future

    def commit(self) -> None:
        """The disk has worked, and whoever waited for it goes on."""
        self.disk.commit()
        self.turns.run()

    def answer(self, method: str, value: Any = None) -> None:
        """Another actor has answered, and whoever waited for it goes on."""
        self.others.answer(method, value)
        self.turns.run()


def told(future: Future[Any]) -> Any:
    """What was answered; raises what was refused."""
    assert future.done, "nobody has answered"
    return future.get(0.0)


def code(future: Future[Any]) -> str:
    """What a request came to: ``open``, ``ok``, or the code of its refusal."""
    if not future.done:
        return "open"
    error = future.outcome().error
    return "ok" if error is None else str(getattr(error, "code", repr(error)))


def one_batch(stage: Stage, *kinds: type) -> bool:
    """Whether one transaction has changes of all these kinds."""
    return any(
        all(any(isinstance(one, kind) for one in batch) for kind in kinds)
        for batch in stage.disk.batches
    )


@contextmanager
def stage_in(place: Path, **settings: Any) -> Iterator[Stage]:
    """A stage, put away at the end."""
    stage = Stage(place, **settings)
    try:
        yield stage
    finally:
        stage.close()
