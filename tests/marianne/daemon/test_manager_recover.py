"""Looking again at failed sheets: what is done in truth is completed, and nothing else changes."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from manager_parts import WAY_IN, Stage, code, one_batch, plan_of, told

from actors import ActorDied, Future
from actors.reasons import KILLED
from marianne.daemon.jobs.commands import Commands
from marianne.daemon.jobs.recover import Recover
from marianne.executors.beside import LostError
from marianne.model.result import AttemptResult
from marianne.state.changes import RememberReply, SaveSheet, UpdateJob
from marianne.state.errors import StoreFull
from marianne.state.models import JobStatus, SheetStatus

FULL = StoreFull("the disk is full")


@pytest.fixture
def parts(stage: Stage) -> Recover:
    return Recover(stage.desk, stage.is_over, stage.admit)


def failed(stage: Stage, status: JobStatus = JobStatus.FAILED) -> None:
    """Job ``a``: its first sheet is done, the others failed."""
    stage.insert("a", status, plan_of("one", "two", "three"), error="x")
    stage.sheet("a", 1, SheetStatus.COMPLETED)
    for num in (2, 3):
        stage.sheet("a", num, SheetStatus.FAILED, category="validation", message="no such file")


def ask(stage: Stage, parts: Recover, sheet: int | None = None, **more: Any) -> Future[Any]:
    dry_run = more.pop("dry_run", False)
    return stage.ask(parts.recover, "a", sheet, dry_run, **more)


def finds(stage: Stage, *good: int, of: tuple[int, ...] = (2, 3)) -> None:
    """The look ends: the work of these sheets is there."""
    found = [
        AttemptResult(num, 1, "completed" if num in good else "failed", 1.0, 2.0).to_map()
        for num in of
    ]
    comes_to(stage, found)


def comes_to(stage: Stage, found: Any) -> None:
    ((_job, _sheets, future),) = stage.executor.looks
    stage.executor.looks.clear()
    if isinstance(found, Exception):
        future.refuse(found)
    else:
        future.answer(found)
    stage.turns.run()


def sheets(stage: Stage) -> list[SheetStatus]:
    return [row.status for row in stage.desk.reader.sheets("a")]


def test_what_is_done_in_truth_is_completed_and_the_rest_stays_failed(
    stage: Stage, parts: Recover
) -> None:
    failed(stage)
    asked = ask(stage, parts, request_id="r")
    assert code(asked) == "open"
    finds(stage, 2)
    reply = told(asked)
    assert (reply["recovered"], reply["status"]) == ([2], "failed")
    assert [(one["name"], one["passed"]) for one in reply["sheets"]] == [
        ("two", True),
        ("three", False),
    ]
    assert "1 of 2 failed sheets is done" in reply["message"]
    assert sheets(stage) == [SheetStatus.COMPLETED, SheetStatus.COMPLETED, SheetStatus.FAILED]
    assert stage.desk.reader.sheets("a")[1].message is None
    assert one_batch(stage, SaveSheet, RememberReply)
    assert stage.disk.events == [("a", "sheet.completed")]


def test_only_failed_sheets_are_looked_at(stage: Stage, parts: Recover) -> None:
    failed(stage)
    ask(stage, parts)
    ((job_id, looked_at, _),) = stage.executor.looks
    assert (job_id, [one.num for one in looked_at]) == ("a", [2, 3])


def test_a_named_sheet_is_looked_at_alone(stage: Stage, parts: Recover) -> None:
    failed(stage)
    asked = ask(stage, parts, 3)
    finds(stage, 3, of=(3,))
    assert told(asked)["recovered"] == [3]


@pytest.mark.parametrize(("sheet", "found"), [(1, "conflict"), (0, "not_found"), (4, "not_found")])
def test_a_sheet_that_has_not_failed_is_refused(
    stage: Stage, parts: Recover, sheet: int, found: str
) -> None:
    failed(stage)
    assert code(ask(stage, parts, sheet)) == found
    assert stage.executor.looks == []


def test_a_job_without_failed_sheets_is_refused(stage: Stage, parts: Recover) -> None:
    stage.insert("a", JobStatus.CANCELLED)
    assert code(ask(stage, parts)) == "conflict"


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.PAUSED])
def test_a_job_of_which_nothing_else_is_left_is_completed_and_followed(
    stage: Stage, parts: Recover, status: JobStatus
) -> None:
    failed(stage, status)
    if not status.terminal:
        stage.found("a")
    asked = ask(stage, parts)
    finds(stage, 2, 3)
    assert told(asked)["status"] == "completed"
    row = stage.job("a")
    assert (row.status, row.error) == (JobStatus.COMPLETED, None)
    assert ("a", "job.completed") in stage.disk.events
    assert stage.over == ["a"]  # its hooks run, as a restart would have them run
    assert stage.live["a"].row.status is JobStatus.COMPLETED


def test_a_job_that_waits_is_looked_at_again_by_whoever_lets_jobs_in(
    stage: Stage, parts: Recover
) -> None:
    failed(stage, JobStatus.QUEUED)
    stage.found("a")
    stage.disk.held = True
    ask(stage, parts)
    finds(stage, 2)
    assert not stage.live["a"].waits  # a place that comes free now passes it by
    stage.commit()
    assert stage.live["a"].waits
    assert stage.admits == 1


def test_a_dry_run_tells_the_same_and_changes_nothing(stage: Stage, parts: Recover) -> None:
    failed(stage)
    asked = ask(stage, parts, dry_run=True)
    finds(stage, 2, 3)
    reply = told(asked)
    assert (reply["recovered"], reply["status"]) == ([2, 3], "failed")
    assert "nothing was changed" in reply["message"]
    assert (stage.disk.batches, stage.over) == ([], [])


def test_a_look_that_finds_nothing_writes_nothing(stage: Stage, parts: Recover) -> None:
    failed(stage)
    asked = ask(stage, parts)
    finds(stage)
    assert (told(asked)["recovered"], stage.disk.batches) == ([], [])


def test_nobody_is_told_before_it_is_on_disk(stage: Stage, parts: Recover) -> None:
    failed(stage, JobStatus.PAUSED)
    live = stage.found("a")
    asked = ask(stage, parts)
    stage.disk.held = True
    finds(stage, 2, 3)
    assert (code(asked), live.unsure, stage.over) == ("open", True, [])
    stage.commit()
    assert (code(asked), stage.over) == ("ok", ["a"])


def test_what_failed_on_disk_is_as_it_was(stage: Stage, parts: Recover) -> None:
    failed(stage, JobStatus.PAUSED)
    stage.found("a")
    asked = ask(stage, parts)
    stage.disk.error = FULL
    finds(stage, 2, 3)
    assert asked.outcome().error is FULL
    assert (stage.live["a"].row.status, stage.live["a"].unsure) == (JobStatus.PAUSED, False)
    assert sheets(stage)[1] is SheetStatus.FAILED


def test_who_retries_a_job_that_is_just_being_completed_asks_again_and_finds_it_decided(
    stage: Stage, parts: Recover
) -> None:
    failed(stage)
    ask(stage, parts)
    stage.disk.held = True
    finds(stage, 2)
    commands = Commands(stage.desk, stage.admit)
    assert code(stage.ask(commands.retry, "a", None)) == "unavailable"
    stage.disk.held = False
    stage.commit()
    assert (stage.over, list(stage.live)) == ([], [])  # a part of it was found: it has failed still
    assert code(stage.ask(commands.retry, "a", None)) == "ok"


# -- what comes between --------------------------------------------------------------------------


def test_a_job_that_runs_is_not_looked_at(stage: Stage, parts: Recover) -> None:
    failed(stage, JobStatus.RUNNING)
    stage.found("a", *WAY_IN)
    assert code(ask(stage, parts)) == "conflict"


def test_nobody_knows_a_stranger(stage: Stage, parts: Recover) -> None:
    assert code(ask(stage, parts)) == "not_found"


def test_a_job_that_is_just_being_put_away_may_be_asked_for_again(
    stage: Stage, parts: Recover
) -> None:
    failed(stage)
    stage.found("a", *WAY_IN)
    assert code(ask(stage, parts)) == "unavailable"


def test_a_job_is_looked_at_by_one_at_a_time(stage: Stage, parts: Recover) -> None:
    failed(stage)
    first = ask(stage, parts)
    assert code(ask(stage, parts)) == "conflict"
    finds(stage)
    assert code(first) == "ok"
    assert code(ask(stage, parts)) == "open"


def test_a_job_that_went_on_meanwhile_is_left_alone(stage: Stage, parts: Recover) -> None:
    failed(stage)
    asked = ask(stage, parts)
    stage.write(UpdateJob("a", {"status": JobStatus.QUEUED}, asked=True))
    stage.found("a", *WAY_IN[:1])
    finds(stage, 2, 3)
    assert (code(asked), stage.disk.batches) == ("conflict", [])


def test_a_sheet_that_ran_again_meanwhile_is_left_alone(stage: Stage, parts: Recover) -> None:
    failed(stage)
    asked = ask(stage, parts)
    row = stage.desk.reader.sheets("a")[2]
    row.message = "another"
    stage.write(SaveSheet("a", row))
    finds(stage, 2, 3)
    assert code(asked) == "conflict"


# -- the looking ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EAGAIN, "fork"), EOFError(), LostError("killed"), ActorDied("x", KILLED)],
)
def test_a_look_that_came_to_nothing_may_be_asked_for_again(
    stage: Stage, parts: Recover, error: Exception
) -> None:
    failed(stage)
    asked = ask(stage, parts)
    comes_to(stage, error)
    assert code(asked) == "unavailable"
    assert code(ask(stage, parts)) == "open"


def test_what_makes_no_sense_is_refused_and_ends_nobody(stage: Stage, parts: Recover) -> None:
    failed(stage)
    asked = ask(stage, parts)
    comes_to(stage, [{"nothing": "of a result"}])
    assert code(asked) == "internal"
