"""What the local executor leaves for the first actors of a job, and takes back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from handler_stage import Post
from manager_parts import Stage
from manager_standins import Process

from marianne.daemon.worker import executor as executing
from marianne.daemon.worker.executor import LocalExecutor


def test_what_is_left_for_actors_that_do_not_come_is_taken_back_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor, dismissed, keeper = LocalExecutor(stage.context), [], Post(stage.system)
    monkeypatch.setattr(executing, "keeper_of", lambda context: keeper.handle("spare"))

    class Waiting:
        process, proof = Process(5), b"p"

        def dismiss(self) -> None:
            dismissed.append("the process")

    spare: Any = Waiting()
    executor.fleet.spare.put(spare)
    row = stage.insert("a")
    executor.prepare(row, b"plan", b"environment")
    assert (row.worker_pid, row.worker_start_time, row.worker_link) == (5, 1, b"p")
    row.worker_pid = None
    entry = stage.context.entries["a"]
    assert (entry.plan, entry.row.worker_pid) == (b"plan", 5), "the entry has a row of its own"
    assert (executor.job_of(5), list(executor.fleet.chosen)) == (None, ["a"])
    assert keeper.asked == [("spare", "taken")]
    executor.unprepare("a")
    executor.unprepare("a")
    assert dismissed == ["the process"]
    assert (stage.context.entries, executor.fleet.chosen) == ({}, {})


def test_without_a_spare_process_the_row_names_none(stage: Stage) -> None:
    executor, row = LocalExecutor(stage.context), stage.insert("a")
    executor.prepare(row, b"plan", b"environment")
    assert (row.worker_pid, executor.fleet.chosen) == (None, {})
    assert stage.context.entries["a"].environment == b"environment"


def test_who_does_not_answer_is_named_and_of_many_five(stage: Stage) -> None:
    executor = LocalExecutor(stage.context)
    assert executor.troubles() == {"workers": "ok", "refused_worker_messages": 0}
    executor.fleet.silent = {f"j{number}": number for number in range(7)}
    words = executor.troubles()["workers"]
    assert "j0 (process 0)" in words
    assert words.endswith("j4 (process 4) and 2 more")


def test_a_process_is_known_by_its_job_while_it_lives(stage: Stage) -> None:
    fleet = LocalExecutor(stage.context).fleet
    worker, other = (
        SimpleNamespace(pid=pid, name=name, kill=lambda pid=pid: killed.append(pid))
        for pid, name in ((7, "marianne-worker a"), (8, "marianne-hook b"))
    )
    killed: list[int] = []
    for process in (worker, other):
        fleet.took_on(process)
    assert [fleet.job_of(pid) for pid in (7, 8, 9)] == ["a", None, None]
    assert stage.context.group.tracked == {7, 8}
    fleet.let_go(worker)
    fleet.kill_all()
    assert (fleet.job_of(7), killed, stage.context.group.tracked) == (None, [8], {8})
