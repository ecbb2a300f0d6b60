"""A worker process that cannot be started now: its actor goes on, and says why the job waits."""

from __future__ import annotations

import multiprocessing
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from admission_stage import Stage, until

from actors import Actor
from marianne.daemon.services.store import Store
from marianne.daemon.shared.part import Part
from marianne.daemon.worker import listening
from marianne.daemon.worker.actor import Worker
from marianne.daemon.worker.identity import proof_of
from marianne.daemon.worker.standby import SpareWorker
from marianne.executors.protocol import Run
from marianne.model.result import AttemptResult
from marianne.run.procfs import start_time
from marianne.state.changes import AddAttempt, UpdateJob
from marianne.state.models import JobStatus
from marianne.state.reader import Reader


class Keeper(Actor):
    """In place of the keeper of the spare."""

    def taken(self) -> None:
        """The spare has a job."""


class House:
    """A job without a process, and what the next starts of one come to."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stage = stage = Stage(place)
        self.answers: list[BaseException | Callable[[], SpareWorker]] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self.pipes: list[Any] = []
        stage.insert("a", status=JobStatus.RUNNING)
        stage.system.spawn(Store, stage.context, name="store")
        stage.system.spawn(Keeper, name="spare")
        monkeypatch.setattr("marianne.daemon.worker.spare_keeper.start_waiting", self.start)

    def start(self, *_given: object) -> SpareWorker:
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer()

    def process(self) -> SpareWorker:
        """A process that waits at the pipe, as far as anybody can see."""
        child = subprocess.Popen(["sleep", "60"])
        self.processes.append(child)
        known = self.stage.system.processes.adopt(child.pid, start_time(child.pid) or 0)
        assert known is not None
        peers = self.stage.executor.fleet.peers
        theirs, ours = multiprocessing.Pipe(duplex=False)
        self.pipes.append(theirs)
        return SpareWorker(known, ours, peers, proof_of(peers.new()))

    def begin(self) -> None:
        given = self.stage.context, self.stage.executor.fleet, "a", Part("job:a/worker")
        self.worker = self.stage.system.spawn(Worker, *given, name="job:a/worker")

    def recorded(self) -> int | None:
        with Reader(self.stage.home.db) as reader:
            row = reader.job("a")
            assert row is not None
            return row.worker_pid

    def close(self) -> None:
        self.stage.close()
        for child in self.processes:
            child.kill()
            child.wait()


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    house = House(tmp_path, monkeypatch)
    yield house
    house.close()


def test_a_start_that_fails_in_passing_is_tried_again_by_the_same_actor(house: House) -> None:
    refusals = [OSError(11, "Resource temporarily unavailable"), EOFError(), ConnectionError("x")]
    house.answers = [*refusals, house.process]
    house.begin()
    delays = house.stage.context.start_delays
    delay = until(lambda: delays.of("a"))
    assert delay.why.startswith("its worker process: ")
    until(lambda: house.processes and house.recorded() == house.processes[0].pid)
    assert house.pipes[0].recv()["job_id"] == "a"
    assert house.stage.system.whereis("job:a/worker") == house.worker


def test_a_job_is_ended_while_the_start_of_its_process_takes_its_time(house: House) -> None:
    go = threading.Event()

    def slowly() -> SpareWorker:
        assert go.wait(30)
        return house.process()

    house.answers = [slowly]
    house.begin()
    assert house.worker.ask(Worker.finish) is None
    go.set()
    until(lambda: house.pipes)
    with pytest.raises(EOFError):  # it hears that it has no job
        house.pipes[0].recv()
    assert house.recorded() is None


class Listener(Actor):
    """In place of the job actor."""

    def __init__(self, heard: list[tuple[Any, int]]) -> None:
        self._heard = heard

    def worker_up(self, hello: dict[str, Any], asker: int) -> None:
        """What runs."""
        self._heard.append((hello, asker))


@pytest.mark.parametrize("dies", ["before", "after"])
def test_of_a_job_whose_process_is_dead_what_ran_is_known_to_be_over_before_another_starts(
    house: House, dies: str
) -> None:
    """Who cancels it need not wait for a process that the machine may not give for hours."""
    heard: list[tuple[Any, int]] = []
    house.stage.system.spawn(Listener, heard, name="job:a/job")
    house.stage.spool("a", AttemptResult(1, 1, "completed", 1.0, 2.0))
    go = threading.Event()

    def never() -> SpareWorker:
        go.wait(60)
        raise OSError(11, "Resource temporarily unavailable")

    house.answers = [never] if dies == "before" else [house.process, never]
    try:
        house.begin()
        if dies == "after":
            until(lambda: house.recorded() is not None)
        house.worker.tell(Worker.report, 7)
        house.worker.tell(Worker.end_sheets, [2], "cancelled")
        if dies == "after":
            house.worker.ask(Worker.acknowledge, ())  # it has heard of that
            house.processes[0].kill()
        ((hello, asker),) = until(lambda: heard)
    finally:
        go.set()
    assert (hello["running"], asker) == ((), 7)
    assert [(one["num"], one["attempt"]) for one in hello["unacked"]] == [(1, 1)]


@pytest.mark.parametrize("done", [True, False])
def test_the_outputs_of_a_job_are_not_moved_away_when_its_files_were_forgotten(
    house: House, done: bool
) -> None:
    """What archives the workspace once a job remembers that among the job's files."""
    house.stage.write(UpdateJob("a", {"options": {"archives": True}}))
    if done:
        house.stage.write(AddAttempt("a", AttemptResult(1, 1, "completed", 1.0, 2.0)))
    house.answers = [house.process]
    house.begin()
    until(house.recorded)
    assert (house.stage.home.job_dir("a") / "archived").exists() is done


def test_a_process_that_dies_before_it_says_hello_is_replaced(house: House) -> None:
    house.answers = [house.process, house.process]
    house.begin()
    until(lambda: house.processes and house.recorded() == house.processes[0].pid)
    house.processes[0].kill()
    until(lambda: len(house.processes) == 2 and house.recorded() == house.processes[1].pid)
    assert house.stage.system.whereis("job:a/worker") == house.worker


@pytest.mark.slow
def test_a_cancel_hurries_a_process_that_was_granted_a_sheet_and_has_not_said_hello(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sheet may run already, and may have stopped it before its hello."""
    monkeypatch.setattr(listening, "HELLO", (0.5, 3600.0))
    monkeypatch.setattr(listening, "ADOPTED_HELLO", (0.1, 0.1))
    monkeypatch.setattr("marianne.daemon.worker.actor.END_MARGIN", 0.1)
    monkeypatch.setattr(Worker, "_grace", 0.1)
    house.answers += [house.process] * 2
    house.begin()
    until(lambda: house.recorded() is not None)
    house.worker.tell(Worker.run, [Run(1, 1)])
    house.worker.tell(Worker.end_sheets, [1], "cancelled")
    until(lambda: house.processes[0].poll() is not None, 20.0)


def test_a_look_that_was_due_as_another_stretch_of_looks_began_is_none(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be set again and again beside the others, and the patience run out in half the
    time."""
    monkeypatch.setattr(listening, "HELLO", (600.0, 3600.0))
    monkeypatch.setattr(listening, "HURRIED", 600.0)
    house.answers.append(house.process)
    house.begin()
    until(lambda: house.recorded() is not None)
    cell = house.worker.cell()
    assert isinstance(cell.actor, Worker)
    stretch = cell.actor._listening
    house.worker.tell(Worker.run, [Run(1, 1)])
    house.worker.tell(Worker.end_sheets, [1], "cancelled")
    house.worker.tell(Worker.look, stretch)
    house.worker.ask(Worker.acknowledge, ())  # it has heard of all that
    assert len(cell.timers) == 1
