"""Commands that cross each other, and changes that are still on their way to the disk."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from admission_stage import Stage, until

from actors import Future
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.services import store
from marianne.daemon.shared.refusal import Refused
from marianne.state.database import Database
from marianne.state.errors import StoreFull
from marianne.state.models import JobStatus


class Disk(Database):
    """A database whose commits wait at a gate, and fail when they are to."""

    gate = threading.Event()
    broken = threading.Event()

    def write_many(self, batches: Any) -> Any:
        self.gate.wait(10.0)
        if self.broken.is_set():
            raise StoreFull("the disk is full")
        return super().write_many(batches)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(store, "Database", Disk)
    monkeypatch.setattr(store, "RETRY_FIRST", 0.01)
    Disk.gate.set()
    Disk.broken.clear()
    stage = Stage(tmp_path, max_concurrent_jobs=1)
    yield stage
    Disk.gate.set()
    Disk.broken.clear()
    stage.close()


def ask(stage: Stage, method: Any, *args: Any) -> Future[Any]:
    future: Future[Any] = stage.manager.call(method, *args)
    return future


def code(future: Future[Any]) -> str:
    """What a wish came to: ``ok``, or the code of its refusal."""
    until(lambda: future.done)
    error = future.outcome().error
    assert error is None or isinstance(error, Refused), error
    return "ok" if error is None else error.code


def test_a_job_whose_change_is_not_on_disk_is_neither_changed_nor_let_in(stage: Stage) -> None:
    stage.insert("a", status=JobStatus.PAUSED)
    stage.begin()
    Disk.gate.clear()
    first = ask(stage, ManagerActor.resume_job, "a")
    others = [
        ask(stage, method, "a")
        for method in (ManagerActor.pause_job, ManagerActor.resume_job, ManagerActor.cancel_job)
    ]
    assert [code(other) for other in others] == ["unavailable"] * 3
    assert stage.manager.ask(ManagerActor.counts)["running_jobs"] == 0
    Disk.gate.set()
    assert code(first) == "ok"
    until(lambda: stage.is_up("a"))


def test_a_retry_that_the_disk_refuses_lets_nothing_in(stage: Stage) -> None:
    stage.insert("a", status=JobStatus.FAILED)
    stage.begin()
    Disk.broken.set()
    retry = ask(stage, ManagerActor.retry_job, "a")
    until(lambda: retry.done)
    assert retry.outcome().error is not None
    Disk.broken.clear()
    until(lambda: stage.context.storage.problem is None)
    assert stage.job("a").status is JobStatus.FAILED
    assert stage.asked == []
