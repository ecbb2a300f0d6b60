"""All that stands above the seam, with sheets that run in memory: no process, no socket."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from context_stage import context_in

from actors import System
from marianne.daemon.config import DaemonConfig
from marianne.daemon.context import Context
from marianne.daemon.job.supervisor import Jobs
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.services.scheduler import SchedulerActor
from marianne.daemon.services.store import Store
from marianne.executors.protocol import Run
from marianne.executors.stub import StubExecutor, succeed
from marianne.home import Home
from marianne.model.plan import Instrument, Plan, Prompt, RetryPolicy, SheetPlan
from marianne.model.result import AttemptResult
from marianne.score.models import Hook
from marianne.score.pack import pack_plan
from marianne.state.changes import InsertJob
from marianne.state.database import Database
from marianne.state.models import JobRow, JobStatus, SheetStatus
from marianne.state.reader import Reader

OVER = {"completed", "failed", "cancelled"}


class House:
    """Store, scheduler, jobs and manager of a conductor; ``plays`` counts what began."""

    def __init__(self, place: Path) -> None:
        self.home = Home(place)
        self.system = System("house")
        self.plays: Counter[tuple[str, int, int]] = Counter()
        self.ends: Callable[[str, Run], AttemptResult | None] = succeed
        config = DaemonConfig(max_concurrent_jobs=3, max_concurrent_sheets=4)
        self.context = context_in(place, self.system, config, kind=Context)
        self.executor = StubExecutor(self.system, self._play)
        self.context.executor = self.executor
        self.manager = self.context.manager

    def _play(self, job_id: str, run: Run) -> AttemptResult | None:
        self.plays[job_id, run.num, run.attempt] += 1
        return self.ends(job_id, run)

    def begin(self) -> None:
        self.system.spawn(Store, self.context, name="store")
        self.system.spawn(SchedulerActor, self.context, name="scheduler")
        self.system.spawn(Jobs, name="jobs")
        self.system.spawn(ManagerActor, self.context, name="manager")

    def insert(self, sheets: int, *job_ids: str, chain: bool = True, **fields: Any) -> None:
        """Jobs of so many sheets, each of which needs the one before."""
        shell = Instrument("shell", raw_prompt=True)
        plan = Plan(
            "job",
            "/w",
            tuple(
                SheetPlan(
                    num,
                    f"s{num}",
                    1,
                    shell,
                    Prompt("true"),
                    needs=(num - 1,) if chain and num > 1 else (),
                    retry=RetryPolicy(max_retries=0),
                )
                for num in range(1, sheets + 1)
            ),
            total_stages=1,
        )
        packed = pack_plan(plan)
        rows = (
            JobRow(one, one, JobStatus.QUEUED, f"/w/{one}", 1.0, sheets, **fields)
            for one in job_ids
        )
        with Database(self.home.db) as database:
            database.write([InsertJob(row, packed, "", b"\x80") for row in rows])

    def wait(self, *job_ids: str) -> list[str]:
        """The statuses of jobs that are over."""
        manager = self.manager.within(60.0)
        return [str(manager.ask(ManagerActor.wait_job, one)["status"]) for one in job_ids]

    def sheets(self, job_id: str) -> list[str]:
        with Reader(self.home.db) as reader:
            return [str(row.status) for row in reader.sheets(job_id)]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """At its end no actor has failed by a mistake: supervision would go on over it in silence."""
    house = House(tmp_path)
    crashes: list[str] = []
    house.system.on_event(
        lambda event: crashes.append(event.traceback) if event.kind == "crashed" else None
    )
    yield house
    house.system.shutdown(timeout=5.0)
    assert crashes == []


def until(condition: Callable[[], Any]) -> None:
    deadline, never = time.monotonic() + 60.0, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        never.wait(0.005)


def fails(job_id: str, run: Run) -> AttemptResult:
    now = time.time()
    return AttemptResult(run.num, run.attempt, "failed", now, now, exit_code=1, category="exit")


def test_twenty_jobs_complete_and_each_attempt_begins_once(house: House) -> None:
    names = [f"j{number}" for number in range(20)]
    house.insert(5, *names)
    house.begin()
    assert house.wait(*names) == ["completed"] * 20
    assert house.plays == Counter({(name, num, 1): 1 for name in names for num in range(1, 6)})


def test_a_sheet_begins_after_what_it_needs(house: House) -> None:
    order: list[int] = []

    def noted(job_id: str, run: Run) -> AttemptResult:
        order.append(run.num)
        return succeed(job_id, run)

    house.ends = noted
    house.insert(6, "a")
    house.begin()
    assert house.wait("a") == ["completed"]
    assert order == [1, 2, 3, 4, 5, 6]


def test_what_needs_a_failed_sheet_is_skipped(house: House) -> None:
    house.ends = lambda job_id, run: (fails if run.num == 2 else succeed)(job_id, run)
    house.insert(3, "a")
    house.begin()
    assert house.wait("a") == ["failed"]
    assert house.sheets("a") == ["completed", "failed", "skipped"]


def test_a_cancelled_job_ends_what_runs(house: House) -> None:
    house.ends = lambda job_id, run: None
    house.insert(2, "a")
    house.begin()
    until(lambda: house.plays)
    assert house.manager.ask(ManagerActor.cancel_job, "a")["status"] == "cancelled"
    assert house.sheets("a") == ["cancelled", "cancelled"]
    assert house.executor.work["a"].running == {}


@pytest.mark.parametrize("dies", ["job:a/job", "job:a/worker", "manager", "scheduler"])
def test_what_runs_goes_on_over_a_death_of_an_actor_above_and_begins_no_second_time(
    house: House, dies: str
) -> None:
    house.ends = lambda job_id, run: None
    house.insert(2, "a", chain=False)
    house.begin()
    until(lambda: len(house.executor.work["a"].running) == 2 if house.executor.work else False)
    before = house.system.whereis(dies)
    assert before is not None
    house.system.kill(before)
    if dies in ("manager", "scheduler"):  # the root would start them again
        until(lambda: house.system.whereis(dies) is None)
        kind = ManagerActor if dies == "manager" else SchedulerActor
        house.system.spawn(kind, house.context, name=dies)
    until(lambda: house.system.whereis(dies) not in (None, before))
    runs = list(house.executor.work["a"].running.values())
    for run in runs:  # the programs end
        _end(house, run)
    assert house.wait("a") == ["completed"]
    assert set(house.plays.values()) == {1}


def _end(house: House, run: Run) -> None:
    from marianne.executors.stub import StubRunner

    def ended() -> bool:
        ref = house.system.whereis("job:a/worker")
        if ref is None:
            return False
        ref.tell(StubRunner.ended, succeed("a", run))
        return True

    until(ended)
    until(lambda: run.num not in house.executor.work["a"].running)


def test_a_result_that_was_not_committed_is_told_again_after_a_death(house: House) -> None:
    house.insert(1, "a")
    house.ends = lambda job_id, run: None
    house.begin()
    until(lambda: house.executor.work and house.executor.work["a"].running)
    run = house.executor.work["a"].running[1]
    job = house.system.whereis("job:a/job")
    assert job is not None
    house.system.inspect(job).suspend()  # it does not hear of the end
    _end(house, run)
    house.system.kill(job)
    assert house.wait("a") == ["completed"]
    assert house.plays == Counter({("a", 1, 1): 1})
    assert house.sheets("a") == [str(SheetStatus.COMPLETED)]


def test_what_follows_a_job_and_checks_made_again_are_the_executors_too(house: House) -> None:
    hook = Hook(type="run_command", command="tell {job_id}").model_dump()
    house.insert(1, "a", options={"after": {"on_success": [hook]}})
    house.insert(2, "b")
    house.ends = lambda job_id, run: (fails if job_id == "b" and run.num == 2 else succeed)(
        job_id, run
    )
    house.begin()
    assert house.wait("a", "b") == ["completed", "failed"]
    assert [(one.job_id, one.argv[-1]) for one in house.executor.commands] == [("a", "tell a")]
    found = house.manager.ask(ManagerActor.recover_job, "b")
    assert (found["recovered"], found["status"]) == ([2], "completed")
