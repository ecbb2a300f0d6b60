"""What the local executor leaves for the first actors of a job, and takes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from manager_parts import Stage, stage_in
from manager_standins import Process

from marianne.daemon.worker.executor import LocalExecutor


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with stage_in(tmp_path) as stage:
        yield stage


def test_what_is_left_for_actors_that_do_not_come_is_taken_back_once(stage: Stage) -> None:
    executor, dismissed = LocalExecutor(stage.context), []

    class Waiting:
        process, proof = Process(5), b"p"

        def dismiss(self) -> None:
            dismissed.append("the process")

    spare: Any = Waiting()
    stage.context.spare.put(spare)
    row = stage.insert("a")
    executor.prepare(row, b"plan", b"environment")
    assert (row.worker_pid, row.worker_start_time, row.worker_link) == (5, 1, b"p")
    assert stage.context.entries["a"].plan == b"plan"
    assert stage.others.was_told("taken") == [()]
    executor.unprepare("a")
    executor.unprepare("a")
    assert dismissed == ["the process"]
    assert stage.context.entries == {}
