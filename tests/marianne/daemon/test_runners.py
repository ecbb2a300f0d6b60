"""A job's runners: one is told all, several each their own; who hears them knows whose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from admission_stage import until
from context_stage import context_in

from actors import Actor, Promise, System
from marianne.daemon import ports
from marianne.daemon.boot.executors import executor_of
from marianne.daemon.config import DaemonConfig
from marianne.daemon.config.executors import ExecutorConfig
from marianne.daemon.context import Context
from marianne.daemon.job.runners import Runners
from marianne.daemon.shared.gathered import gathered
from marianne.daemon.shared.part import Part, parts_of
from marianne.daemon.worker.absent import AbsentRunner
from marianne.executors.protocol import Run


class Told(Actor):
    """Stands for a runner, or for the job."""

    def __init__(self, told: list[tuple[Any, ...]], name: str) -> None:
        super().__init__()
        self._told, self._name = told, name

    def run(self, runs: Any, slots: Any = None) -> None:
        self._told.append((self._name, "run", [run.num for run in runs]))

    def end_sheets(self, nums: Any, category: str) -> None:
        self._told.append((self._name, "end", list(nums)))

    def acknowledge(self, serials: Any) -> None:
        self._told.append((self._name, "ack", list(serials)))

    def of_part(self, executor: str, said: str, args: Any) -> None:
        self._told.append((executor, said, args))

    def finish(self) -> Promise[None]:
        promise: Promise[None] = self.promise()
        promise.set(None)
        return promise


class House:
    def __init__(self, place: Path) -> None:
        self.system = System("runners")
        cluster = ExecutorConfig(
            name="cl", address="tcp://127.0.0.1:1", shared_directory=place / "shared"
        )
        config = DaemonConfig(executors=[cluster])
        self.context = context_in(place, self.system, config, kind=Context)
        self.context.executor = executor_of(self.context)
        self.told: list[tuple[Any, ...]] = []
        for name in ("job:a/worker", "job:a/worker:cl", "job:a/job"):
            self.system.spawn(Told, self.told, name, name=name)

    def hears(self, *words: Any) -> None:
        until(lambda: words in self.told)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.system.shutdown(timeout=5.0)


def test_one_runner_is_told_all_as_it_is(house: House) -> None:
    runners = Runners(house.context, "a", ["cl"])
    runners.run([Run(1, 1, executor="cl")], 1)
    runners.end_sheets([1, 9], "cancelled")
    runners.acknowledge([4097])
    house.hears("job:a/worker", "ack", [4097])
    assert house.told == [
        ("job:a/worker", "run", [1]),
        ("job:a/worker", "end", [1, 9]),
        ("job:a/worker", "ack", [4097]),
    ]
    runners.finish().get(60.0)


def test_several_are_told_each_their_own(house: House) -> None:
    runners = Runners(house.context, "a", ["local", "cl"])
    runners.run([Run(1, 1), Run(2, 1, executor="cl")], 2)
    runners.end_sheets([2], "cancelled")
    runners.acknowledge([2 * 5, 2 * 7 + 1])
    for words in (("run", [1]), ("ack", [5])):
        house.hears("job:a/worker", *words)
    for words in (("run", [2]), ("end", [2]), ("ack", [7])):
        house.hears("job:a/worker:cl", *words)
    runners.finish().get(60.0)


def test_a_runner_of_several_says_whose_word_it_is_and_the_only_one_does_not(house: House) -> None:
    parts = parts_of("a", ["local", "cl"])
    assert {name: part.actor for name, part in parts.items()} == {
        "local": "job:a/worker",
        "cl": "job:a/worker:cl",
    }
    job = house.context.job("a")
    assert parts_of("a", ["cl"])["cl"].heard_by(job) is job
    parts["cl"].heard_by(job).tell(ports.Job.withdrawn, [[1, 1]])
    house.hears("cl", "withdrawn", ([[1, 1]],))


def test_an_executor_that_is_no_more_runs_nothing_and_says_so(house: House) -> None:
    part = Part("job:a/worker:gone", "gone")
    (spec,) = [
        one
        for one in house.context.executor.runners("a", ["local", "gone"])
        if one.id == part.actor
    ]
    runner = house.system.spawn(spec.cls, *spec.args, name=spec.id)
    runner.tell(AbsentRunner.report, 5)
    nothing = {"running": [], "queued": [], "ended": [], "unacked": []}
    house.hears("gone", "worker_up", (nothing, 5))
    assert runner.call(AbsentRunner.finish).get(60.0) is None


def test_the_runners_on_clusters_begin_first_and_this_machines_once_the_files_are_there(
    house: House,
) -> None:
    specs = house.context.executor.runners("a", ["local", "cl"])
    assert [spec.id for spec in specs] == ["job:a/worker:cl", "job:a/worker"]
    specs[1].args[-1].ready()
    assert (house.context.home.job_dir("a") / "sheets").is_symlink()
    (alone,) = house.context.executor.runners("b", ["local"])
    alone.args[-1].ready()
    assert not house.context.home.job_dir("b").exists()


def test_several_answers_are_one_when_all_are_there_and_an_error_if_one_is(house: House) -> None:
    from actors import Future

    def futures() -> list[Future[int]]:
        return [Future(house.system, "x", None, None) for _ in range(2)]

    first, second = futures()
    whole = gathered(house.system, "x", [first, second])
    second.answer(2)
    assert not whole.late
    first.answer(1)
    assert whole.get(60.0) == [1, 2]
    first, second = futures()
    whole = gathered(house.system, "x", [first, second])
    first.refuse(OSError("no"))
    second.answer(2)
    with pytest.raises(OSError, match="no"):
        whole.get(60.0)
