"""A start that this machine refuses in passing is no job's failure: it is tried again, and said."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from admission_stage import PLAN, Stage, Supervised, until
from modified import pending

from actors import ChildError, StartError
from actors.reasons import crash
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.services import store as store_module
from marianne.daemon.services.store import Store
from marianne.daemon.shared import start_delays
from marianne.daemon.shared import storage as storage_module
from marianne.daemon.shared.refusal import Refused
from marianne.model.result import AttemptResult
from marianne.state.changes import SaveSheet, SetMeta, UpdateJob
from marianne.state.models import JobStatus, SheetRow, SheetStatus
from marianne.state.reader import Reader

NO_THREAD = StartError("job:a", crash(RuntimeError("can't start new thread")))
NO_FILE = StartError("job:a", crash(OSError(errno.EMFILE, "too many open files")))
NEW = replace(PLAN, sheets=tuple(replace(PLAN.sheets[0], num=n, name=f"s{n}") for n in (1, 2, 3)))
TAKEN = ChildError("already_started", "job:a")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path, max_concurrent_jobs=1)
    yield stage
    stage.close()


def delayed(stage: Stage, monkeypatch: pytest.MonkeyPatch, *job_ids: str) -> None:
    """The first job is let in and cannot be started, and the next try is far away."""
    monkeypatch.setattr(start_delays, "BACKOFF", start_delays.Backoff(min=600.0, max=900.0))
    stage.insert(*job_ids)
    stage.answers.append(NO_THREAD)
    stage.begin()
    until(lambda: stage.context.start_delays.of("a"))


def test_a_supervisor_that_is_there_already_is_the_jobs(stage: Stage) -> None:
    def starts_and_says_no(spec: Any) -> Exception:
        stage.system.spawn(Supervised, name=spec.id)
        return TAKEN

    stage.insert("a", "b")
    stage.answers.append(starts_and_says_no)
    stage.begin()
    until(lambda: stage.is_up("a"))
    until(lambda: stage.manager.ask(ManagerActor.counts)["running_jobs"] == 1)
    stage.leave("a", status=JobStatus.COMPLETED)  # it is watched: the next one is let in
    until(lambda: stage.is_up("b"))
    assert stage.asked == ["job:a", "job:b"]


def test_a_job_that_waits_for_its_start_can_be_paused_and_resumed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    delayed(stage, monkeypatch, "a")
    assert stage.manager.ask(ManagerActor.pause_job, "a")["status"] == "pausing"
    assert stage.job("a").status is JobStatus.PAUSING
    assert stage.manager.ask(ManagerActor.resume_job, "a")["status"] == "running"
    stage.system.kill(stage.manager)  # the next one does not wait for the timer
    until(lambda: stage.system.whereis("manager") is None)
    stage.system.spawn(ManagerActor, stage.context, name="manager")
    until(lambda: stage.is_up("a"))


def test_a_job_that_waits_for_its_start_can_be_cancelled_and_gives_its_place_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    delayed(stage, monkeypatch, "a", "b")
    assert stage.manager.ask(ManagerActor.cancel_job, "a")["status"] == "cancelled"
    until(lambda: stage.is_up("b"))
    assert stage.context.start_delays.of("a") is None


def test_actors_that_keep_meeting_the_machines_limits_are_no_failure_of_the_job(
    stage: Stage,
) -> None:
    stage.insert("a")
    stage.begin()
    ref = until(lambda: stage.system.whereis("job:a"))
    stage.system.inject("job:a", OSError(errno.EAGAIN, "fork"))
    ref.tell(Supervised.on_idle)
    until(lambda: stage.asked == ["job:a"] * 2 and stage.is_up("a"))
    assert stage.job("a").status is JobStatus.RUNNING


def test_a_job_that_is_given_up_keeps_what_its_worker_had_finished(stage: Stage) -> None:
    stage.insert("a")
    stage.write(SaveSheet("a", SheetRow(1, SheetStatus.RUNNING, attempt=1, started_at=1.0)))
    stage.spool("a", AttemptResult(1, 1, "completed", 1.0, 2.0, exit_code=0))
    stage.answers.append(StartError("job:a", crash(LookupError("no plan"))))
    stage.begin()
    until(lambda: stage.job("a").status.terminal)
    assert stage.job("a").status is JobStatus.COMPLETED


def test_a_crash_of_the_manager_forgets_no_place(stage: Stage) -> None:
    stage.insert("a", "b")
    stage.answers.append(NO_THREAD)
    stage.begin()
    until(lambda: stage.context.start_delays.of("a"))
    stage.system.kill(stage.manager)
    until(lambda: stage.system.whereis("manager") is None)
    stage.system.spawn(ManagerActor, stage.context, name="manager")
    until(lambda: stage.is_up("a"))
    assert stage.manager.ask(ManagerActor.counts)["running_jobs"] == 1
    assert not stage.is_up("b")


def test_a_place_that_comes_free_while_the_disk_is_nearly_full_is_given_away_afterwards(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "RETRY_FIRST", 0.01)
    monkeypatch.setattr(storage_module, "LOOK_EVERY", 0.0)
    stage.insert("a", "b")
    stage.begin()
    until(lambda: stage.is_up("a"))
    monkeypatch.setattr(storage_module, "RESERVE", 2**62)
    store = stage.system.handle(Store, "store")
    until(lambda: store.ask(Store.write, []) is not None and stage.context.storage.problem)
    stage.leave("a", status=JobStatus.COMPLETED)
    until(lambda: stage.manager.ask(ManagerActor.counts)["running_jobs"] == 0)
    monkeypatch.setattr(storage_module, "RESERVE", 0)
    until(lambda: stage.context.storage.problem is None)
    until(lambda: stage.is_up("b"), 10.0)


def test_a_job_that_is_given_up_goes_on_by_the_new_score_that_was_acknowledged(
    stage: Stage,
) -> None:
    """Else it came back to life with the next start of a conductor."""
    stage.insert("a")
    pausing = {"status": JobStatus.RUNNING}, {"status": JobStatus.PAUSING, "reason": "modify"}
    stage.write(*(UpdateJob("a", fields) for fields in pausing), SetMeta("modify/a", pending(NEW)))
    stage.answers.append(StartError("job:a", crash(LookupError("no plan"))))
    stage.begin()
    until(lambda: stage.job("a").status.terminal or stage.is_up("a"))
    until(lambda: stage.is_up("a"))
    assert (stage.job("a").status, stage.job("a").sheet_count) == (JobStatus.RUNNING, 3)


@pytest.mark.parametrize("asked", ["resume", "cancel"])
def test_a_new_score_that_waits_for_a_start_is_taken_back_by_a_cancel_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    delayed(stage, monkeypatch, "a")
    stage.manager.ask(ManagerActor.pause_job, "a")
    stage.write(UpdateJob("a", {"reason": "modify"}), SetMeta("modify/a", pending(NEW)))
    if asked == "cancel":
        assert stage.manager.ask(ManagerActor.cancel_job, "a")["status"] == "cancelled"
        with Reader(stage.home.db) as reader:
            until(lambda: reader.meta("modify/a") is None)
        return
    with pytest.raises(Refused, match="goes on by itself"):
        stage.manager.ask(ManagerActor.resume_job, "a")
    assert stage.job("a").status is JobStatus.PAUSING
