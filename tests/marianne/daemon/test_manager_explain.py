"""Why a job and its sheets do not run now: three know a part, and the parts become one answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from manager_parts import WAY_IN, Stage, code, plan_of, stage_in, told
from manager_standins import Owed

from actors import Future, NoSuchActor
from marianne.daemon.jobs import explain as explaining
from marianne.daemon.jobs.admission import Admission
from marianne.daemon.jobs.explain import Explain
from marianne.daemon.jobs.memory import REASON, MemoryRoom
from marianne.daemon.jobs.questions import Questions
from marianne.daemon.shared.refusal import Refused
from marianne.state.models import JobStatus, OutcomeRow, SheetStatus

STATS = SimpleNamespace(
    active=2, queued=1, max_concurrent=4, per_job_running={}, per_job_queued={"a": 1}
)


class Explained(Explain):
    """Whose statuses come from disk."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.error: Exception | None = None
        questions = Questions(stage.desk)

        def status(job_id: str, first: int, last: int) -> Future[Any]:
            promise: Any = stage.turns.promise()
            if self.error is not None:
                promise.fail(self.error)
            else:
                questions.status_from_disk(job_id, first, last, False, promise)
            found: Future[Any] = promise.future
            return found

        admission = Admission(stage.desk, MemoryRoom(stage.context), lambda _job: None)
        super().__init__(stage.desk, admission, status, lambda _live: None)

    def asks(self, sheet: int | None = None) -> Future[Any]:
        promise = self.job("a", sheet)
        assert isinstance(promise, Owed)
        self.stage.turns.run()
        return promise.future


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with stage_in(tmp_path, max_concurrent_jobs=1) as stage:
        stage.others.answers["kept_back"] = {}
        stage.others.answers["explain_sheets"] = ({}, STATS)
        yield stage


@pytest.fixture
def parts(stage: Stage) -> Explained:
    return Explained(stage)


def test_a_job_that_is_over_says_so(stage: Stage, parts: Explained) -> None:
    stage.insert("a", JobStatus.FAILED)
    found = told(parts.asks())
    assert (found["code"], found["status"]) == ("ended", "failed")


def test_a_queued_job_is_told_who_runs_and_who_goes_before_it(
    stage: Stage, parts: Explained
) -> None:
    stage.lives("runs", JobStatus.RUNNING, *WAY_IN)
    stage.lives("first", submitted_at=0.5)
    stage.lives("a")
    found = told(parts.asks())
    assert (found["code"], found["data"]) == ("job_limit", {"running": 1, "before": 1})
    assert found["sheets"][0]["code"] == "job_queued"


def test_a_job_that_waits_while_the_conductor_ends_is_told_that(
    stage: Stage, parts: Explained
) -> None:
    stage.lives("a")
    stage.context.stop.mode = "drain"
    assert told(parts.asks())["code"] == "stopping"


def test_a_job_that_waits_for_memory_is_told_how_much(stage: Stage, parts: Explained) -> None:
    used = [OutcomeRow("big", f"o{n}", 1.0, 900.0, 1.0, 1.0) for n in range(10)]
    stage.context.learned.fill(used, [])
    stage.lives("a", JobStatus.PENDING, reason=REASON, config_hash="big")
    found = told(parts.asks())
    assert found["code"] == "pending"
    assert found["data"]["needs_mb"] == 900.0


@pytest.mark.parametrize("why", ["memory", "the disk"])
def test_a_job_that_waits_is_told_what_there_is_too_much_of(
    stage: Stage, parts: Explained, why: str
) -> None:
    stage.lives("a")
    if why == "memory":
        stage.uses(990.0)
    else:
        stage.context.storage.problem = "the disk is full"
    found = told(parts.asks())
    assert found["code"] == "pressure"
    assert ("990 of 1000 MB" if why == "memory" else "the disk is full") in found["text"]


def test_a_job_that_cannot_be_started_says_why_and_when_again(
    stage: Stage, parts: Explained
) -> None:
    stage.lives("a", JobStatus.RUNNING, *WAY_IN)
    stage.context.start_delays.note("a", "can't start new thread")
    found = told(parts.asks())
    assert (found["code"], found["data"]["tries"]) == ("start_delayed", 1)
    assert "can't start new thread" in found["text"]


def test_a_delay_of_what_is_over_is_no_reason(stage: Stage, parts: Explained) -> None:
    stage.lives("a", JobStatus.COMPLETED)
    stage.context.start_delays.note("a", "its hook")
    assert told(parts.asks())["code"] == "ended"


def test_what_the_job_keeps_back_counts_before_what_the_scheduler_says(
    stage: Stage, parts: Explained
) -> None:
    stage.lives("a", JobStatus.RUNNING, *WAY_IN, plan=plan_of("one", "two"))
    del stage.others.answers["kept_back"]
    asked = parts.asks()
    assert code(asked) == "open"
    both = {1: {"code": "slots", "text": "x"}, 2: {"code": "needs", "text": "y"}}
    stage.others.answers["explain_sheets"] = (both, STATS)
    stage.answer("kept_back", {1: {"code": "budget", "text": "z"}})
    found = told(asked)
    assert [one["code"] for one in found["sheets"]] == ["budget", "needs"]
    assert (found["code"], found["data"]["active"], found["data"]["ready"]) == ("running", 2, 1)
    assert stage.others.asked[-1] == ("scheduler", "explain_sheets", "a", [1, 2])


@pytest.mark.parametrize("who", ["kept_back", "explain_sheets"])
def test_who_is_being_restarted_leaves_its_part_out(
    stage: Stage, parts: Explained, who: str
) -> None:
    stage.lives("a", JobStatus.RUNNING, *WAY_IN)
    stage.others.answers[who] = NoSuchActor(who)
    assert told(parts.asks())["code"] == "running"


def test_only_what_neither_runs_nor_is_over_is_explained(stage: Stage, parts: Explained) -> None:
    stage.lives("a", JobStatus.RUNNING, *WAY_IN, plan=plan_of("one", "two", "three"))
    stage.sheet("a", 1, SheetStatus.COMPLETED)
    stage.sheet("a", 2, SheetStatus.RUNNING)
    assert [one["num"] for one in told(parts.asks())["sheets"]] == [3]
    assert [one["num"] for one in told(parts.asks(2))["sheets"]] == [2]


def test_a_sheet_that_there_is_none_of_is_refused(stage: Stage, parts: Explained) -> None:
    stage.lives("a", plan=plan_of("one", "two"))
    assert code(parts.asks(3)) == "not_found"


def test_nobody_knows_a_stranger(stage: Stage, parts: Explained) -> None:
    assert code(parts.asks()) == "not_found"
    parts.error = Refused("unavailable", "x")
    assert code(parts.asks()) == "unavailable"


def test_of_many_sheets_the_first_that_wait_are_explained_and_the_rest_counted(
    stage: Stage, parts: Explained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "PAGE", 2)
    monkeypatch.setattr(explaining, "SHEETS_EXPLAINED", 3)
    stage.lives("a", plan=plan_of(*"abcdefg"))
    stage.sheet("a", 1, SheetStatus.COMPLETED)
    found = told(parts.asks())
    assert [one["num"] for one in found["sheets"]] == [2, 3, 4]
    assert found["more"] == 3
