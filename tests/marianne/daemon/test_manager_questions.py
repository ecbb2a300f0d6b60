"""What the manager tells of jobs: live ones by their actors, all others from disk."""

from __future__ import annotations

from typing import Any, cast

import pytest
from manager_parts import WAY_IN, Stage, code, plan_of, told
from manager_standins import Owed

from actors import ActorDied, Future
from actors.reasons import KILLED
from ipc import codec
from marianne.daemon.config import DaemonConfig
from marianne.daemon.jobs.questions import Questions
from marianne.daemon.jobs.settings import put_in_force
from marianne.daemon.shared.status_cache import Packed
from marianne.state.models import JobStatus

STATUS = Packed(codec.pack({"job_id": "a", "status": "as it says"}))


@pytest.fixture
def parts(stage: Stage) -> Questions:
    return Questions(stage.desk)


def future(promise: Any) -> Future[Any]:
    return cast("Owed", promise).future


def status(stage: Stage, parts: Questions, first: int = 1, last: int = 9) -> Future[Any]:
    asked = future(parts.status("a", first, last, False))
    stage.turns.run()
    return asked


# -- waiting -------------------------------------------------------------------------------------


def test_who_waits_for_a_job_that_is_over_is_told_at_once(stage: Stage, parts: Questions) -> None:
    stage.insert("a", JobStatus.FAILED)
    assert told(future(parts.wait("a")))["status"] == "failed"


@pytest.mark.parametrize("state", [JobStatus.QUEUED, JobStatus.PAUSED, JobStatus.COMPLETED])
def test_who_waits_for_a_job_that_lives_waits_for_its_hooks_too(
    stage: Stage, parts: Questions, state: JobStatus
) -> None:
    live = stage.lives("a", state)
    promise = parts.wait("a")
    assert code(future(promise)) == "open"
    assert live.waiters == [promise]


def test_who_asks_again_and_again_whether_a_job_is_over_is_one_who_waits(
    stage: Stage, parts: Questions
) -> None:
    """A client waits in slices, for as long as the job lives."""
    live = stage.lives("a", JobStatus.PAUSED)
    for _ in range(5):
        future(parts.wait("a")).deadline = 0.0
    assert len(live.waiters) == 1


# -- statuses ------------------------------------------------------------------------------------


def test_a_job_at_rest_is_told_from_disk_and_kept(stage: Stage, parts: Questions) -> None:
    stage.lives("a", JobStatus.PAUSED, plan=plan_of("one", "two", "three"))
    found = told(status(stage, parts, 2, 3))
    assert (found["status"], [one["num"] for one in found["sheets"]]) == ("paused", [2, 3])
    kept = stage.context.status_cache.find("a", 2, 3)
    assert kept is not None
    assert codec.unpack(kept) == found
    packed = told(future(parts.status("a", 2, 3, True)))
    assert packed == kept


def test_a_job_that_runs_is_its_actors_to_tell(stage: Stage, parts: Questions) -> None:
    stage.lives("a", JobStatus.RUNNING, *WAY_IN)
    asked = status(stage, parts, 1, 4)
    assert stage.others.asked == [("job:a/job", "status", 1, 4)]
    assert code(asked) == "open"
    stage.answer("status", STATUS)
    assert told(asked) == {"job_id": "a", "status": "as it says"}


@pytest.mark.parametrize("answer", [None, ActorDied("job:a/job", KILLED)], ids=repr)
def test_a_job_whose_actor_cannot_tell_is_told_from_disk_and_not_kept(
    stage: Stage, parts: Questions, answer: Any
) -> None:
    stage.lives("a", JobStatus.RUNNING, *WAY_IN)
    asked = status(stage, parts)
    stage.answer("status", answer)
    assert told(asked)["status"] == "running"
    assert stage.context.status_cache.find("a", 1, 9) is None


def test_nobody_knows_a_stranger(stage: Stage, parts: Questions) -> None:
    assert code(status(stage, parts)) == "not_found"


def test_a_status_that_cannot_be_read_refuses_the_question_and_ends_nobody(
    stage: Stage, parts: Questions, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.insert("a", JobStatus.FAILED)
    monkeypatch.setattr(type(stage.desk.reader), "plan", lambda *_args: b"none")
    assert code(status(stage, parts)) == "internal"


# -- numbers -------------------------------------------------------------------------------------


def test_the_counts_are_of_places_and_of_all_that_is_not_over(
    stage: Stage, parts: Questions
) -> None:
    stage.lives("a", JobStatus.RUNNING, *WAY_IN)
    stage.lives("b")
    stage.insert("c", JobStatus.COMPLETED)
    assert parts.counts() == {"running_jobs": 1, "total_jobs_active": 2}
    found = parts.daemon_status()
    assert (found["running_jobs"], found["total_jobs_active"]) == (1, 2)
    assert (found["ready"], found["shutting_down"]) == (True, False)
    stage.context.storage.problem = "the disk is full"
    assert parts.daemon_status()["ready"] is False


# -- settings ------------------------------------------------------------------------------------


def test_another_configuration_is_told_to_whoever_keeps_something_of_it(stage: Stage) -> None:
    stage.lives("a", JobStatus.RUNNING, *WAY_IN)
    stage.lives("b")
    config = DaemonConfig(max_concurrent_sheets=3, learning={"enabled": False}, log_level="warning")
    put_in_force(stage.context, config, stage.live)
    assert stage.context.config is stage.context.face.config is config
    assert not stage.context.learned.enabled
    assert stage.others.was_told("update_limits") == [(config.resource_limits,)]
    assert stage.others.was_told("start_periodic_checks") == [()]
    assert stage.others.was_told("set_limits") == [(config,)]
    clocks = [one for one in stage.others.told if one[1] == "look_at_clock"]
    assert clocks == [("job:a/job", "look_at_clock")]
    put_in_force(stage.context, DaemonConfig(), stage.live)
