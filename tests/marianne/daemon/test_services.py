"""The services, each alone: what is learned, events, the spare, orders to stop."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from admission_stage import until
from handler_stage import Desk, services_desk, told

from actors import Future
from actors.process import start_time_of
from ipc import codec
from marianne.daemon.config import DaemonConfig
from marianne.daemon.pgroup import ProcessGroupManager
from marianne.daemon.services.events import Events
from marianne.daemon.services.learning import ATTEMPTS_READ, LearningActor
from marianne.daemon.services.learning import META as BUDGET
from marianne.daemon.services.stopping import drain_limit, keep_order
from marianne.daemon.shared.figures import Figures
from marianne.daemon.worker.fleet import Fleet
from marianne.daemon.worker.spare_keeper import SpareKeeper
from marianne.home import Home
from marianne.learning.diversity import CEILING
from marianne.learning.hub import LearningHub
from marianne.model.result import AttemptResult
from marianne.notify.notice import MACHINE, NEEDS_ME, NOTICED
from marianne.run import stop_order
from marianne.score.models import Notification
from marianne.state.changes import AddAttempt, AddOutcome, SetMeta, UpdateJob
from marianne.state.models import Event, JobStatus, OutcomeRow


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with services_desk(tmp_path) as desk:
        yield desk


# -- learning -----------------------------------------------------------------------------------


class School:
    """A job that ended, and who learns from it."""

    def __init__(self, desk: Desk, **settings: Any) -> None:
        self.desk, context = desk, desk.context
        context.learned = LearningHub()
        context.resources = SimpleNamespace(peak_by_job={"a": 50.0})
        if settings:
            context.config = DaemonConfig.model_validate({"learning": settings})
        self.actor: Any = LearningActor(context)
        self.actor.on_start()

    def end(self, status: JobStatus = JobStatus.COMPLETED) -> list[Any]:
        self.desk.insert("a", status=status)
        fields = {"config_hash": "hash", "started_at": 10.0, "finished_at": 20.0}
        result = AttemptResult(1, 1, "completed", 10.0, 20.0, peak_memory_mb=40.0, cpu_seconds=3.0)
        if status is JobStatus.FAILED:
            result = AttemptResult(1, 1, "failed", 10.0, 20.0, category="exit", peak_memory_mb=40.0)
        self.desk.write(UpdateJob("a", fields), AddAttempt("a", result))
        self.actor.job_ended("a")
        self.actor.on_stop(None)
        return [change for message in told(self.desk, "store") for change in message[1]]


def test_the_end_of_a_job_is_an_outcome_of_its_configuration(desk: Desk) -> None:
    school = School(desk)
    (outcome,) = [c.row for c in school.end() if isinstance(c, AddOutcome)]
    assert (outcome.config_hash, outcome.job_id, outcome.category) == ("hash", "a", None)
    assert outcome.peak_memory_mb >= 40.0
    assert desk.context.learned.lessons("hash").outcomes == (outcome,)
    assert desk.context.resources.peak_by_job == {}
    assert ATTEMPTS_READ > 0


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"enabled": False}, JobStatus.COMPLETED),
        ({"analyze_on": ["failure"]}, JobStatus.COMPLETED),
        ({"analyze_on": ["success"]}, JobStatus.FAILED),
        ({}, JobStatus.CANCELLED),
    ],
)
def test_nothing_is_learned_that_is_not_to_be(
    desk: Desk, settings: dict[str, Any], status: JobStatus
) -> None:
    assert School(desk, **settings).end(status) == []


def test_an_end_is_learned_from_once_though_its_hooks_are_left_to_the_next_conductor(
    desk: Desk,
) -> None:
    desk.write(AddOutcome(OutcomeRow("hash", "a", 20.0, 50.0, 3.0, 10.0)))
    assert School(desk).end() == []
    assert len(desk.context.learned.lessons("hash").outcomes) == 1


def test_a_restart_knows_what_was_learned_and_how_much_to_explore(desk: Desk) -> None:
    outcome = OutcomeRow("hash", "old", 1.0, 10.0, 1.0, 2.0)
    desk.write(AddOutcome(outcome), SetMeta(BUDGET, codec.pack(9.0)))
    school = School(desk)
    assert desk.context.learned.lessons("hash").outcomes == (outcome,)
    assert desk.context.learned.budget == CEILING
    school.actor.on_stop(None)


def test_a_budget_that_a_check_changes_is_kept(desk: Desk) -> None:
    school = School(desk)
    desk.context.learned.budget = 0.4
    found = school.actor.check_diversity()
    ((_, (kept,), *_),) = told(desk, "store")
    assert kept.name == BUDGET
    assert round(codec.unpack(kept.value), 3) == found["exploration_budget"]
    school.actor.on_stop(None)


# -- events -------------------------------------------------------------------------------------


def test_every_event_that_a_person_can_ask_for_happens_by_a_name_of_ours() -> None:
    # Of the values of a Literal within a list.
    (names,) = Notification.model_fields["on_events"].annotation.__args__  # type: ignore[union-attr]
    machine = {"machine_trouble", "machine_over"}  # by one name: machine
    assert ({*NOTICED.values()} - machine) | {NEEDS_ME, MACHINE} == set(names.__args__)


def test_the_last_number_is_said_again_once_it_is_quiet() -> None:
    said: list[Any] = []
    later: list[Any] = []

    class Quiet(Events):
        def send_after(self, seconds: float, method: Any, *args: Any) -> Any:
            later.append((method, args))
            return method

    context = SimpleNamespace(
        figures=Figures(), home=Home("/nowhere"), config=DaemonConfig(), unserved={}
    )
    events: Any = Quiet(context)  # type: ignore[arg-type]
    events._publisher = SimpleNamespace(
        publish_batch=lambda batch: said.extend(topic for topic, _ in batch),
        publish=lambda topic, body: said.append((topic, body["seq"])),
    )
    events.publish([Event(1, 0, 1.0, "a", None, "job.started", {})])
    events.publish([Event(2, 0, 1.0, None, None, "daemon.started", {})])
    assert said == ["job.a.job.started", "daemon.started"]
    assert len(later) == 1, "one timer, however many events"
    method, args = later.pop()
    method(*args)
    assert said[2:] == [], "something came since: another quiet second"
    method, args = later.pop()
    method(*args)
    assert said[2:] == [("daemon.tick", 2)]
    assert later == [], "nothing ticks at rest"


# -- the spare ----------------------------------------------------------------------------------


class Kept:
    """A keeper whose starts are answered when a test says so."""

    def __init__(self, desk: Desk, monkeypatch: pytest.MonkeyPatch, client: Any = None) -> None:
        self.starts: list[Any] = []
        self.looks: list[Any] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self.ended = threading.Event()
        context = desk.context
        context.client = client
        self.fleet = Fleet(desk.system, ProcessGroupManager())
        monkeypatch.setattr("marianne.daemon.worker.spare_keeper.start_one", self._start)
        monkeypatch.setattr("marianne.daemon.worker.spare_keeper.reached_forkserver", self._look)
        monkeypatch.setattr("marianne.daemon.worker.spare_keeper.FIRST_FILL", 0.001)
        self._system = desk.system
        self._context = context
        desk.system.spawn(SpareKeeper, context, self.fleet, name="spare")
        self.keeper = desk.system.handle(SpareKeeper, "spare")

    def _start(self, context: Any, fleet: Fleet, asker: str) -> Any:
        future: Future[Any] = Future(self._system, asker, None, None)
        self.starts.append(future)
        return future

    def _look(self, context: Any, fleet: Fleet, known: Any) -> Any:
        future: Future[Any] = Future(self._system, "spare", None, None)
        self.looks.append(future)
        return future

    def worker(self) -> Any:
        """One whose process is real; a test ends it."""
        return SimpleNamespace(process=self.process(), dismiss=self.ended.set)

    def process(self) -> Any:
        process = subprocess.Popen(["sleep", "600"])
        self.processes.append(process)
        start_time = start_time_of(process.pid)
        assert start_time is not None
        return self._system.processes.adopt(process.pid, start_time)

    def restart(self) -> None:
        assert self._system.stop(self.keeper)
        self._system.spawn(SpareKeeper, self._context, self.fleet, name="spare")

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def keeping(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    kept = Kept(desk, monkeypatch)
    yield kept
    kept.close()


def test_one_is_started_at_a_time_and_none_while_one_waits(keeping: Kept) -> None:
    kept = keeping
    until(lambda: kept.starts)
    kept.keeper.ask(SpareKeeper.fill)
    assert len(kept.starts) == 1
    worker = kept.worker()
    kept.starts[0].answer(worker)
    until(lambda: not kept.fleet.spare.wanted)
    kept.keeper.ask(SpareKeeper.fill)
    assert len(kept.starts) == 1
    assert kept.fleet.spare.take() is worker
    kept.keeper.ask(SpareKeeper.taken)
    until(lambda: len(kept.starts) == 2)


def test_a_spare_that_cannot_be_started_is_tried_again(keeping: Kept) -> None:
    until(lambda: keeping.starts)
    keeping.starts[0].refuse(OSError("no process"))
    until(lambda: len(keeping.starts) == 2)


def test_a_spare_that_dies_as_it_waits_is_replaced_also_after_a_crash_of_its_keeper(
    keeping: Kept,
) -> None:
    until(lambda: keeping.starts)
    for number in range(2):
        keeping.starts[number].answer(keeping.worker())
        until(lambda: not keeping.fleet.spare.wanted)
        if number:
            keeping.restart()
        keeping.processes[number].kill()
        until(lambda number=number: len(keeping.starts) == number + 2)
        assert keeping.ended.is_set(), "what is kept of it is given back"
        keeping.ended.clear()


def test_the_end_of_a_process_that_has_a_job_is_none_of_the_keepers_business(
    keeping: Kept,
) -> None:
    until(lambda: keeping.starts)
    keeping.starts[0].answer(keeping.worker())
    until(lambda: not keeping.fleet.spare.wanted)
    taken = keeping.fleet.spare.take()
    assert taken is not None
    keeping.processes[0].kill()
    taken.process.wait(60.0)
    keeping.keeper.ask(SpareKeeper.fill)  # in its mailbox behind the word of that end
    assert len(keeping.starts) == 2, "one is wanted as another was taken, not one more"
    assert not keeping.ended.is_set()


def test_a_forkserver_that_dies_or_cannot_be_had_is_looked_for_again(keeping: Kept) -> None:
    until(lambda: keeping.looks)
    keeping.looks[0].refuse(OSError("no process"))
    until(lambda: len(keeping.looks) == 2)
    keeping.looks[1].answer(keeping.process())
    keeping.keeper.ask(SpareKeeper.taken)
    assert len(keeping.looks) == 2, "while it lives it is looked at when somebody says so"
    keeping.processes[0].kill()
    until(lambda: len(keeping.looks) == 3)
    keeping.keeper.ask(SpareKeeper.look)
    assert len(keeping.looks) == 3, "one look at a time"


def test_a_private_conductor_keeps_no_spare(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(desk, monkeypatch, client=(1, 1))
    kept.keeper.ask(SpareKeeper.fill)
    assert kept.starts == []


# -- orders to stop -----------------------------------------------------------------------------


def test_an_order_is_on_disk_with_the_end_of_its_drain(desk: Desk) -> None:
    assert keep_order(desk.context, "drain", 30.0)
    order = stop_order.read(desk.home.path)
    assert order is not None
    assert order.mode == "drain"
    assert order.until is not None
    assert 25 < order.until - time.monotonic() <= 30
    assert keep_order(desk.context, "cancel", None)
    order = stop_order.read(desk.home.path)
    assert order is not None
    assert (order.mode, order.until) == ("cancel", None)


def test_a_drain_without_a_time_has_the_configured_one(desk: Desk) -> None:
    assert drain_limit(desk.context, None) == desk.context.config.shutdown_timeout_seconds
    assert drain_limit(desk.context, 0.0) == 0.0


def test_an_order_that_the_disk_does_not_take_is_told_as_not_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stop_order, "leave", full)
    assert keep_order(desk.context, "stop", None) is False
