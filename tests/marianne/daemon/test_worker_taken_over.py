"""A worker process that another incarnation takes over: only what it answers to us is its state."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from admission_stage import Stage, until

from actors import Actor
from marianne.daemon.services.store import Store
from marianne.daemon.shared.part import Part
from marianne.daemon.worker.actor import Worker
from marianne.run.procfs import boot_id, start_time
from marianne.run.setup import incarnation_of
from marianne.state.changes import UpdateJob
from marianne.state.models import JobStatus


class Listener(Actor):
    """In place of the job actor."""

    def __init__(self, heard: list[dict[str, Any]]) -> None:
        self._heard = heard

    def worker_up(self, hello: dict[str, Any], asker: int) -> None:
        """The worker lives."""
        self._heard.append({**hello, "asker": asker})


class House:
    """A job whose recorded worker process lives, and what its actor says and hears."""

    def __init__(self, place: Path, process: subprocess.Popen[bytes]) -> None:
        self.stage = stage = Stage(place)
        self.posted: list[dict[str, Any]] = []
        self.up: list[dict[str, Any]] = []
        start = start_time(process.pid) or 0
        self.identity = incarnation_of(process.pid, start).encode()
        stage.insert("a", status=JobStatus.RUNNING)
        record = {"worker_pid": process.pid, "worker_start_time": start}
        stage.write(UpdateJob("a", {**record, "worker_boot_id": boot_id()}))
        fleet = stage.executor.fleet
        fleet.post = lambda _, message: self.posted.append(message)
        fleet.peers.job_of(self.identity)  # it has connected
        stage.system.spawn(Store, stage.context, name="store")
        stage.system.spawn(Listener, self.up, name="job:a/job")
        self.given = stage.context, fleet, "a", Part("job:a/worker")
        self.worker = stage.system.spawn(Worker, *self.given, name="job:a/worker")

    def says(self, answers: int, *running: list[int]) -> None:
        """The process says hello, in answer to that report."""
        hello = {"running": list(running), "queued": [], "unacked": [], "ended": []}
        self.worker.ask(Worker.received, self.identity, "hello", {**hello, "round": answers})

    @property
    def asked(self) -> int:
        """The number of the newest report that was asked for."""
        rounds = [m["round"] for m in self.posted if m["kind"] == "report"]
        return int(rounds[-1])


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    process = subprocess.Popen(["sleep", "60"])
    house = House(tmp_path, process)
    yield house
    house.stage.close()
    process.kill()
    process.wait()


@pytest.mark.parametrize("answers", [0, 1], ids=["nobody", "an earlier incarnation"])
def test_a_hello_that_answers_somebody_else_is_not_what_runs_now(
    house: House, answers: int
) -> None:
    # What the earlier incarnation had told it last may stand unread behind that hello.
    house.worker.ask(Worker.report, 7)
    house.says(answers)
    assert house.up == []
    house.says(house.asked, [1, 1])
    until(lambda: house.up)
    assert (house.up[0]["running"], house.up[0]["asker"]) == ([[1, 1]], 7)


def test_no_two_incarnations_ask_under_the_same_number(house: House) -> None:
    first = house.asked
    house.stage.system.stop(house.worker)
    house.worker = house.stage.system.spawn(Worker, *house.given, name="job:a/worker")
    assert house.asked > first
