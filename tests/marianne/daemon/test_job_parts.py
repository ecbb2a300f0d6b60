"""What a job is started as, how its status is told, what goes up to it, and when sheets run."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from handler_stage import Desk, desk_in

from ipc import codec
from marianne.daemon import ports
from marianne.daemon.api.server import Server
from marianne.daemon.at_once import at_once
from marianne.daemon.config import DaemonConfig
from marianne.daemon.job.actor import Job
from marianne.daemon.job.on_disk import OnDisk
from marianne.daemon.job.status_bytes import at_rest, status
from marianne.daemon.job.supervisor import job_spec
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.pgroup import ProcessGroupManager
from marianne.daemon.processes.control_groups import NONE
from marianne.daemon.scheduler import GlobalSheetScheduler, SheetInfo, Terms
from marianne.daemon.services.events import Events
from marianne.daemon.services.rates import RatesActor
from marianne.daemon.worker.executor import LocalExecutor
from marianne.daemon.worker.socket import Link
from marianne.state.models import JobRow, JobStatus


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as desk:
        yield desk


# -- one job ------------------------------------------------------------------------------------


def test_a_status_of_packed_sheets_is_the_map_with_them() -> None:
    sheets = [{"num": num, "name": "é"} for num in range(3)]
    packed = status({"job_id": "a", "error": None}, [codec.pack(sheet) for sheet in sheets])
    assert codec.unpack(packed) == {"job_id": "a", "error": None, "sheets": sheets}
    assert codec.unpack(status({}, [])) == {"sheets": []}


def test_a_job_at_rest_is_told_from_disk(desk: Desk) -> None:
    desk.insert("a", status=JobStatus.FAILED)
    told = codec.unpack(at_rest(desk.reader, "a", 1, 10))
    assert (told["status"], [sheet["num"] for sheet in told["sheets"]]) == ("failed", [1])
    found = OnDisk(desk.home).status("a")
    assert found is not None
    assert found["job_id"] == "a"
    assert OnDisk(desk.home).status("nobody") is None


def test_a_jobs_end_ends_its_worker_and_its_give_up_nobody_else(desk: Desk) -> None:
    desk.context.config = DaemonConfig(sheet_grace_seconds=20.0)
    desk.context.group, desk.context.groups = ProcessGroupManager(), NONE
    desk.context.executor = LocalExecutor(desk.context)
    desk.context.executors_of = lambda row: ["local"]
    spec = job_spec(desk.context, JobRow("a", "a", JobStatus.RUNNING, "/w", 1.0, 1))
    assert (spec.id, spec.restart) == ("job:a", "temporary")
    assert spec.kwargs["auto_shutdown"] == "any_significant"
    worker, machine = spec.kwargs["children"]
    assert (worker.id, machine.id) == ("job:a/worker", "job:a/job")
    assert machine.significant
    assert machine.restart == "transient", "its normal end is the job's"
    assert worker.shutdown > 20.0, "the worker's own kill ladder comes first"


# -- messages that go up ------------------------------------------------------------------------


UPWARD: list[tuple[type, type]] = [
    (ports.Jobs, ManagerActor),
    (ports.Job, Job),
    (ports.Rates, RatesActor),
    *((ports.Listener, owner) for owner in (Server, Events, Link)),
]


@pytest.mark.parametrize(("port", "actor"), UPWARD)
def test_who_is_asked_from_below_has_each_message_with_those_arguments(
    port: type, actor: type
) -> None:
    asked = [
        name for name, value in vars(port).items() if inspect.isfunction(value) and name[0] != "_"
    ]
    assert asked
    for name in asked:
        mine, theirs = (inspect.signature(getattr(kind, name)) for kind in (port, actor))
        assert list(mine.parameters) == list(theirs.parameters), name


# -- the scheduler of all jobs ------------------------------------------------------------------


class Load:
    """Backpressure that says what a test wants."""

    def __init__(self, allowed: bool, delay: float) -> None:
        self.said = (allowed, delay)
        self.asked = 0

    async def can_start_sheet(self) -> tuple[bool, float]:
        self.asked += 1
        return self.said


def scheduler(sheets: int, **settings: Any) -> GlobalSheetScheduler:
    made = GlobalSheetScheduler(DaemonConfig(**settings))
    at_once(made.register_job("a", [SheetInfo("a", num) for num in range(1, sheets + 1)]))
    return made


def test_backpressure_holds_grants_back_and_is_asked_only_when_there_is_one() -> None:
    made, load = scheduler(2), Load(False, 0.0)
    made.set_backpressure(load)
    assert at_once(made.next_sheet()) is None
    load.said = (True, 60.0)
    assert at_once(made.next_sheet()) is not None
    assert at_once(made.next_sheet()) is None
    assert 55.0 < made.held_for <= 60.0, "the next grant comes then"
    assert not at_once(made.unhindered())
    at_once(made.deregister_job("a"))
    asked = load.asked
    assert at_once(made.next_sheet()) is None
    assert load.asked == asked
    assert made.held_for == 0.0


def test_terms_hold_for_the_registration_that_comes_next_alone() -> None:
    made = GlobalSheetScheduler(DaemonConfig())
    made.agree("a", Terms(running=frozenset({1}), max_concurrent=1))
    sheets = [SheetInfo("a", num) for num in (1, 2)]
    at_once(made.register_job("a", sheets))
    assert at_once(made.next_sheet()) is None
    assert (made.active_count, made.queued_count) == (1, 1)
    at_once(made.mark_complete("a", 1, True))
    assert at_once(made.next_sheet()) is not None
    made.queue.forget("a")
    at_once(made.register_job("a", sheets))
    assert [at_once(made.next_sheet()) is None for _ in range(2)] == [False, False]


def test_limits_that_are_in_force_block_their_sheets() -> None:
    made = scheduler(1)
    made.set_rate_limiter(SimpleNamespace(active_limits=lambda: {SheetInfo("a", 1).pool: 60.0}))
    assert at_once(made.next_sheet()) is None
    assert at_once(made.get_stats()).queued == 1
