"""Pause, resume and retry: acknowledged when on disk, once for each request."""

from __future__ import annotations

from typing import Any

import pytest
from manager_parts import WAY_IN, Stage, code, one_batch, plan_of, told

from actors import ActorDied
from actors.reasons import KILLED
from marianne.daemon.jobs.commands import Commands
from marianne.daemon.jobs.job_life import Happens
from marianne.daemon.shared.refusal import Refused
from marianne.state.changes import RememberReply, UpdateJob
from marianne.state.errors import StoreFull
from marianne.state.models import JobStatus, SheetStatus

DELAYED = (*WAY_IN[:2], Happens.PUT_OFF)
FULL = StoreFull("the disk is full")


@pytest.fixture
def parts(stage: Stage) -> Commands:
    return Commands(stage.desk, stage.admit)


# -- a row ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [JobStatus.QUEUED, JobStatus.PENDING])
def test_a_job_that_waits_is_paused_at_once(
    stage: Stage, parts: Commands, before: JobStatus
) -> None:
    stage.lives("a", before, reason="estimate")
    assert told(stage.ask(parts.pause, "a")) == {"job_id": "a", "status": "paused"}
    assert (stage.status("a"), stage.job("a").reason) == (JobStatus.PAUSED, "person")
    assert stage.disk.events == [("a", "job.paused")]


def test_a_person_takes_over_a_pause_that_would_end_by_itself(
    stage: Stage, parts: Commands
) -> None:
    stage.lives("a", JobStatus.PAUSED, reason="pressure")
    assert told(stage.ask(parts.pause, "a")) == {"job_id": "a", "status": "paused"}
    assert stage.job("a").reason == "person"
    assert code(stage.ask(parts.pause, "a")) == "conflict"


def test_so_it_is_where_the_pause_is_not_in_force_yet_and_the_actors_cannot_start(
    stage: Stage, parts: Commands
) -> None:
    stage.lives("a", JobStatus.PAUSING, *DELAYED, reason="pressure")
    assert told(stage.ask(parts.pause, "a")) == {"job_id": "a", "status": "pausing"}
    assert stage.job("a").reason == "person"


def test_a_paused_job_is_queued_again_and_looked_at(stage: Stage, parts: Commands) -> None:
    stage.lives("a", JobStatus.PAUSED, reason="person", crashes=3)
    assert told(stage.ask(parts.resume, "a")) == {"job_id": "a", "status": "queued"}
    row = stage.job("a")
    assert (row.status, row.reason, row.crashes) == (JobStatus.QUEUED, None, 0)
    assert [one.job_id for one in stage.live.in_line()] == ["a"]
    assert stage.admits == 1


@pytest.mark.parametrize("verb", ["pause", "resume", "retry"])
def test_nobody_is_told_before_it_is_on_disk(stage: Stage, parts: Commands, verb: str) -> None:
    status = {"pause": JobStatus.QUEUED, "resume": JobStatus.PAUSED, "retry": JobStatus.FAILED}
    stage.insert("a", status[verb])
    if verb != "retry":
        stage.found("a")
    stage.disk.held = True
    asked = stage.ask(getattr(parts, verb), "a", *([None] if verb == "retry" else []))
    assert code(asked) == "open"
    assert stage.status("a") is status[verb]
    assert stage.admits == 0
    stage.commit()
    assert code(asked) == "ok"
    assert stage.admits == 1


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_change_that_failed_on_disk_leaves_the_job_as_its_row_says(
    stage: Stage, parts: Commands, verb: str
) -> None:
    before = JobStatus.QUEUED if verb == "pause" else JobStatus.PAUSED
    stage.lives("a", before)
    stage.disk.error = FULL
    asked = stage.ask(getattr(parts, verb), "a")
    assert asked.outcome().error is FULL
    assert (stage.status("a"), stage.live["a"].row.status) == (before, before)
    assert not stage.live["a"].unsure
    stage.disk.error = None
    assert code(stage.ask(getattr(parts, verb), "a")) == "ok"


def test_a_retry_that_failed_on_disk_leaves_a_job_that_is_over(
    stage: Stage, parts: Commands
) -> None:
    stage.insert("a", JobStatus.FAILED)
    stage.disk.error = FULL
    assert stage.ask(parts.retry, "a", None).outcome().error is FULL
    assert "a" not in stage.live
    assert stage.status("a") is JobStatus.FAILED


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_of_a_job_whose_change_is_under_way_nothing_is_changed(
    stage: Stage, parts: Commands, verb: str
) -> None:
    stage.lives("a", JobStatus.PAUSED)
    stage.disk.held = True
    first = stage.ask(parts.resume, "a")
    assert code(stage.ask(getattr(parts, verb), "a")) == "unavailable"
    stage.commit()
    assert code(first) == "ok"


@pytest.mark.parametrize(
    ("verb", "status", "found"),
    [
        ("pause", JobStatus.PAUSED, "conflict"),
        ("pause", JobStatus.COMPLETED, "conflict"),
        ("resume", JobStatus.QUEUED, "conflict"),
        ("resume", JobStatus.COMPLETED, "conflict"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    stage: Stage, parts: Commands, verb: str, status: JobStatus, found: str
) -> None:
    stage.insert("a", status)
    if not status.terminal:
        stage.found("a")
    assert code(stage.ask(getattr(parts, verb), "a")) == found
    assert (stage.status("a"), stage.disk.batches) == (status, [])


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_nobody_knows_a_stranger(stage: Stage, parts: Commands, verb: str) -> None:
    assert code(stage.ask(getattr(parts, verb), "nobody")) == "not_found"


def test_nothing_is_begun_while_the_disk_fails(stage: Stage, parts: Commands) -> None:
    stage.lives("a")
    stage.context.storage.problem = "the disk is full"
    assert code(stage.ask(parts.pause, "a")) == "pressure"
    assert stage.disk.batches == []


# -- asked twice ---------------------------------------------------------------------------------


def test_who_asks_twice_under_one_id_acts_once(stage: Stage, parts: Commands) -> None:
    stage.lives("a")
    first = stage.ask(parts.pause, "a", request_id="r")
    again = stage.ask(parts.pause, "a", request_id="r")
    assert told(first) == told(again) == {"job_id": "a", "status": "paused"}
    assert len(stage.disk.batches) == 1
    assert one_batch(stage, UpdateJob, RememberReply)


def test_who_asks_again_meanwhile_is_answered_with_the_first(stage: Stage, parts: Commands) -> None:
    stage.lives("a")
    stage.disk.held = True
    both = [stage.ask(parts.pause, "a", request_id="r") for _ in range(2)]
    stage.commit()
    assert [code(one) for one in both] == ["ok", "ok"]
    assert len(stage.disk.batches) == 1


def test_a_request_that_failed_may_be_sent_again(stage: Stage, parts: Commands) -> None:
    stage.lives("a")
    stage.disk.error = FULL
    assert stage.ask(parts.pause, "a", request_id="r").outcome().error is FULL
    stage.disk.error = None
    assert code(stage.ask(parts.pause, "a", request_id="r")) == "ok"


# -- one with actors -----------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_job_that_runs_is_its_actors_to_change(stage: Stage, parts: Commands, verb: str) -> None:
    stage.lives("a", JobStatus.RUNNING, *WAY_IN)
    asked = stage.ask(getattr(parts, verb), "a", request_id="r")
    why = ("person",) if verb == "pause" else ()
    assert stage.others.asked == [("job:a/job", verb, *why, "r")]
    assert code(asked) == "open"
    stage.answer(verb, {"status": "as it says"})
    assert told(asked) == {"status": "as it says"}
    assert stage.disk.batches == []


@pytest.mark.parametrize(
    "error", [Refused("conflict", "it is over"), ActorDied("job:a/job", KILLED)], ids=repr
)
def test_what_its_actor_refuses_is_refused(stage: Stage, parts: Commands, error: Exception) -> None:
    stage.lives("a", JobStatus.RUNNING, *WAY_IN)
    asked = stage.ask(parts.pause, "a")
    stage.answer("pause", error)
    assert asked.outcome().error is error


# -- one whose actors cannot be started just now -------------------------------------------------


def test_a_job_that_waits_for_its_start_is_paused_in_its_row_which_its_actors_find(
    stage: Stage, parts: Commands
) -> None:
    live = stage.lives("a", JobStatus.RUNNING, *DELAYED)
    stage.disk.held = True
    asked = stage.ask(parts.pause, "a")
    assert stage.executor.unprepared == [
        "a"
    ]  # what was left for its actors is taken back: it says running
    assert live.unsure
    stage.commit()
    assert told(asked) == {"job_id": "a", "status": "pausing"}
    assert (stage.status("a"), stage.job("a").reason) == (JobStatus.PAUSING, "person")
    stage.disk.held = False
    assert told(stage.ask(parts.resume, "a")) == {"job_id": "a", "status": "running"}
    assert (stage.status("a"), stage.job("a").reason) == (JobStatus.RUNNING, None)
    assert stage.disk.events == [("a", "job.resumed")]


def test_a_job_that_waits_for_its_start_is_paused_once(stage: Stage, parts: Commands) -> None:
    stage.lives("a", JobStatus.RUNNING, *DELAYED)
    assert code(stage.ask(parts.resume, "a")) == "conflict"
    assert code(stage.ask(parts.pause, "a")) == "ok"
    assert code(stage.ask(parts.pause, "a")) == "conflict"


def test_a_job_that_is_being_cancelled_waits_for_its_start_only_to_end(
    stage: Stage, parts: Commands
) -> None:
    stage.lives("a", JobStatus.CANCELLING, *DELAYED)
    assert code(stage.ask(parts.pause, "a")) == "conflict"
    assert stage.status("a") is JobStatus.CANCELLING


# -- again ---------------------------------------------------------------------------------------


def failed(stage: Stage) -> None:
    """Job ``a``: its first sheet is done, its second failed, its third was skipped."""
    stage.insert("a", JobStatus.FAILED, plan_of("one", "two", "three"), error="x", crashes=2)
    stage.sheet("a", 1, SheetStatus.COMPLETED)
    stage.sheet("a", 2, SheetStatus.FAILED, failures=4)
    stage.sheet("a", 3, SheetStatus.SKIPPED, attempt=0, category="dependency")


def sheets(stage: Stage) -> list[SheetStatus]:
    return [row.status for row in stage.desk.reader.sheets("a")]


@pytest.mark.parametrize("verb", ["retry", "resume"])
def test_what_did_not_complete_runs_again(stage: Stage, parts: Commands, verb: str) -> None:
    failed(stage)
    asked = stage.ask(getattr(parts, verb), "a", *([None] if verb == "retry" else []))
    assert told(asked) == {"job_id": "a", "status": "queued"}
    row = stage.job("a")
    assert (row.status, row.error, row.crashes) == (JobStatus.QUEUED, None, 0)
    assert sheets(stage) == [SheetStatus.COMPLETED, SheetStatus.PENDING, SheetStatus.PENDING]
    assert stage.desk.reader.sheets("a")[1].failures == 0
    assert stage.live["a"].waits
    assert stage.disk.events == [("a", "job.resumed")]


def test_what_a_named_sheet_needs_runs_again_too_and_it_is_said(
    stage: Stage, parts: Commands
) -> None:
    failed(stage)
    answer: dict[str, Any] = told(stage.ask(parts.retry, "a", [3]))
    assert answer["also"] == [2]
    assert "2 (two)" in answer["message"]
    assert sheets(stage) == [SheetStatus.COMPLETED, SheetStatus.PENDING, SheetStatus.PENDING]


def test_a_completed_sheet_runs_again_only_when_a_person_names_it(
    stage: Stage, parts: Commands
) -> None:
    stage.insert("a", JobStatus.COMPLETED)
    stage.sheet("a", 1, SheetStatus.COMPLETED)
    assert code(stage.ask(parts.retry, "a", None)) == "conflict"
    assert sheets(stage) == [SheetStatus.COMPLETED]
    assert code(stage.ask(parts.retry, "a", [1])) == "ok"
    assert sheets(stage) == [SheetStatus.PENDING]


@pytest.mark.parametrize("num", [0, 4])
def test_a_sheet_that_the_job_does_not_have_is_refused(
    stage: Stage, parts: Commands, num: int
) -> None:
    failed(stage)
    assert code(stage.ask(parts.retry, "a", [1, num])) == "not_found"
    assert (stage.disk.batches, "a" in stage.live) == ([], False)


def test_a_job_that_is_not_over_is_not_retried(stage: Stage, parts: Commands) -> None:
    stage.lives("a", JobStatus.PAUSED)
    assert code(stage.ask(parts.retry, "a", None)) == "conflict"


def test_a_job_that_is_just_being_put_away_may_be_asked_for_again(
    stage: Stage, parts: Commands
) -> None:
    stage.lives("a", JobStatus.FAILED, *WAY_IN)
    assert code(stage.ask(parts.retry, "a", None)) == "unavailable"


def test_a_job_whose_hooks_a_stop_left_to_the_next_conductor_is_that_ones(
    stage: Stage, parts: Commands
) -> None:
    """Its next end is another one: what follows this one would never run."""
    stage.insert("a", JobStatus.FAILED)
    stage.desk.hooks_left = lambda _row: True
    stage.context.stop.mode = "drain"
    for verb, more in (("retry", [None]), ("resume", [])):
        assert code(stage.ask(getattr(parts, verb), "a", *more)) == "shutting_down"
    stage.context.stop.mode = None
    assert code(stage.ask(parts.retry, "a", None)) == "ok"


def test_a_job_that_is_being_deleted_may_be_asked_for_again(stage: Stage, parts: Commands) -> None:
    stage.insert("a", JobStatus.FAILED)
    stage.desk.deleting.add("a")
    for verb, more in (("retry", [None]), ("resume", [])):
        assert code(stage.ask(getattr(parts, verb), "a", *more)) == "unavailable"


def test_who_waits_for_a_job_whose_retry_the_disk_refuses_is_told_how_it_stands(
    stage: Stage, parts: Commands
) -> None:
    stage.insert("a", JobStatus.FAILED)
    stage.disk.held = True
    stage.ask(parts.retry, "a", None)
    waiting = stage.turns.promise()
    stage.live["a"].waiters.append(waiting)
    stage.disk.error = FULL
    stage.commit()
    assert told(waiting.future)["status"] == "failed"
