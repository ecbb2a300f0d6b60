"""What becomes of a sheet whose attempt ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from job_play import SHELL, plan_of
from ledger_stage import (
    CHAIN,
    NOW,
    attempts,
    data,
    ended,
    events,
    job_fields,
    ledger_of,
    saved,
    statuses,
    with_sheet,
)

from marianne.daemon.job.aftermath import Aftermath
from marianne.daemon.job.budget import Budget
from marianne.daemon.job.gate import BEGIN_AGAIN, Gate
from marianne.daemon.job.judgement import CANNOT_BEGIN, Judgement, told, write_down
from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.effects import Complete, RateLimited, Requeue, Step, WakeAt
from marianne.model.plan import Instrument, Plan, RetryPolicy
from marianne.model.result import AttemptResult, ValidationOutcome
from marianne.score.models import CostLimits
from marianne.state.models import JobStatus, SheetRow, SheetStatus
from marianne.state.work_time import WorkTime

OTHER, GHOST = Instrument("other"), Instrument("ghost", unavailable="it is not installed")
PASSED, NOT_PASSED = (ValidationOutcome("x", passed) for passed in (True, False))


def case(
    plan: Plan | None = None, status: JobStatus = JobStatus.RUNNING, retries: int = 0
) -> tuple[Ledger, Judgement]:
    """A chain whose first sheet runs its first attempt."""
    plan = plan or plan_of(CHAIN, retries)
    ledger = ledger_of(plan, {1: "running"}, status)
    return ledger, Judgement(ledger, Budget(ledger), Gate(ledger), Aftermath(ledger), lambda: 0.5)


def judged(case: tuple[Ledger, Judgement], outcome: str, **fields: Any) -> tuple[SheetRow, Step]:
    ledger, judgement = case
    step, row, result = Step(), ledger.rows[1], ended(1, outcome, **fields)
    write_down(row, result, ledger.work)
    judgement.judge(step, row, result, NOW)
    return row, step


@pytest.mark.parametrize(
    ("outcome", "status", "category"),
    [("completed", "completed", None), ("skipped", "skipped", "skip_condition")],
)
def test_dependents_are_released_behind_the_commit_of_a_success(
    outcome: str, status: str, category: str | None
) -> None:
    row, step = judged(case(), outcome, exit_code=0)
    assert (str(row.status), row.category) == (status, category)
    assert (saved(step), events(step)) == ([(1, status)], [(f"sheet.{status}", 1)])
    assert (step.now, step.after) == ([], [Complete(1, True)])
    assert [a.outcome for a in attempts(step)] == [outcome]


def test_a_failure_skips_what_needs_the_sheet_and_says_why() -> None:
    given = case()
    row, step = judged(given, "failed", category="exit", message="exit code 3", exit_code=3)
    assert statuses(given[0]) == ["failed", "skipped", "skipped"]
    assert row.failures == 1
    assert data(step, "sheet.failed") == {
        "attempt": 1,
        "exit_code": 3,
        "duration": 0.5,
        "category": "exit",
        "message": "exit code 3",
    }
    assert step.after == [Complete(1, False)]


def test_a_retry_waits_for_its_delay_and_counts() -> None:
    row, step = judged(case(retries=1), "failed", category="exit")
    assert (row.status, row.failures, row.due_at) == (SheetStatus.WAITING, 1, NOW + 1.0)
    assert step.now == [WakeAt(1, NOW + 1.0)]
    assert data(step, "sheet.retrying")["how"] == "retry"
    assert step.after == []


def test_a_partial_pass_is_answered_by_an_attempt_that_counts_apart() -> None:
    policy = RetryPolicy(max_retries=0, completion_threshold_percent=50, max_completion_attempts=1)
    row, step = judged(
        case(with_sheet(plan_of(CHAIN), 1, retry=policy)),
        "failed",
        category="validation",
        validations=(PASSED, NOT_PASSED),
    )
    assert (row.status, row.completions, row.failures) == (SheetStatus.WAITING, 1, 0)
    assert data(step, "sheet.retrying")["how"] == "completion"
    assert data(step, "sheet.validation_failed") == {"attempt": 1, "percent": 50.0}


def test_checks_that_all_passed_are_told_before_the_end() -> None:
    _, step = judged(case(), "completed", validations=(PASSED,))
    assert events(step) == [("sheet.validation_passed", 1), ("sheet.completed", 1)]


def test_a_fallback_plays_the_next_instrument_that_is_there_with_retries_of_its_own() -> None:
    plan = with_sheet(plan_of(CHAIN), 1, fallbacks=(GHOST, OTHER))
    given = case(plan)
    given[0].rows[1].failures = 2
    row, step = judged(given, "failed", category="exit")
    assert (row.fallback, row.failures) == (2, 0)
    assert data(step, "sheet.retrying")["how"] == "fallback"


def test_a_rate_limit_is_told_of_its_instrument_and_uses_up_no_retry() -> None:
    row, step = judged(case(), "failed", category="rate_limit", retry_after=7.0)
    assert (row.status, row.failures, row.due_at) == (SheetStatus.WAITING, 0, NOW + 7.0)
    assert step.now == [RateLimited(SHELL.limit_key, 7.0, 1), WakeAt(1, NOW + 7.0)]
    assert data(step, "sheet.rate_limited")["wait"] == 7.0


def test_a_sheet_that_cost_too_much_fails_with_that_reason() -> None:
    section = CostLimits.model_validate({"max_cost_per_sheet": 1.0}).model_dump()
    plan = replace(plan_of(CHAIN, retries=3), extras={"cost_limits": section})
    row, step = judged(case(plan), "failed", category="exit", usage={"cost_usd": 2.0})
    assert (row.status, row.category) == (SheetStatus.FAILED, "cost")
    assert data(step, "sheet.failed")["category"] == "cost"


def test_an_end_of_its_own_is_progress_told_once_and_forgets_earlier_deaths() -> None:
    given = case()
    given[0].job.crashes = 2
    _, step = judged(given, "completed")
    assert job_fields(step) == {"crashes": 0}
    assert [given[1].take_ended(), given[1].take_ended()] == [True, False]


def interrupted(
    category: str, status: JobStatus = JobStatus.RUNNING
) -> tuple[Ledger, Judgement, Step]:
    ledger, judgement = case(status=status)
    step = Step()
    judgement.interrupt(step, ledger.rows[1], ended(1, "interrupted", category=category), NOW)
    return ledger, judgement, step


def test_an_interrupted_sheet_is_queued_again_and_uses_up_no_retry() -> None:
    ledger, judgement, step = interrupted("stopped")
    row = ledger.rows[1]
    assert (row.status, row.failures, row.category) == (SheetStatus.PENDING, 0, None)
    assert [type(effect) for effect in step.now] == [Requeue]
    assert data(step, "sheet.interrupted") == {"attempt": 1, "category": "stopped"}
    assert len(attempts(step)) == 1
    assert not judgement.take_ended(), "it came to no end of its own"


@pytest.mark.parametrize("status", [JobStatus.PAUSING, JobStatus.PAUSED])
def test_nothing_is_queued_of_a_job_that_does_not_run(status: JobStatus) -> None:
    ledger, _, step = interrupted("stopped", status)
    assert (ledger.rows[1].status, step.now) == (SheetStatus.PENDING, [])


def test_an_interrupted_sheet_of_a_job_that_is_being_cancelled_is_cancelled() -> None:
    ledger, _, step = interrupted("cancelled", JobStatus.CANCELLING)
    assert saved(step) == [(1, "cancelled")]
    assert statuses(ledger)[1:] == ["pending", "pending"]


@pytest.mark.parametrize("category", sorted(CANNOT_BEGIN))
def test_what_the_machine_could_not_begin_waits_a_little_longer_each_time(category: str) -> None:
    ledger, judgement, step = interrupted(category)
    row = ledger.rows[1]
    assert (row.category, step.now) == (category, [WakeAt(1, NOW + BEGIN_AGAIN[0])])
    ledger.start(Step(), row, NOW)
    judgement.interrupt(Step(), row, ended(1, "interrupted", 2, category=category), NOW)
    assert row.due_at == NOW + 2 * BEGIN_AGAIN[0]
    ledger.start(Step(), row, NOW)
    judgement.judge(Step(), row, ended(1, "failed", 3, category="rate_limit"), NOW)
    ledger.start(Step(), row, NOW)
    judgement.interrupt(Step(), row, ended(1, "interrupted", 4, category=category), NOW)
    assert row.due_at == NOW + BEGIN_AGAIN[0], "it had begun in between"


def test_what_could_not_begin_by_a_clock_that_was_set_back_since_does_not_wait_for_that() -> None:
    """Its end was an hour from now, and so was its next try."""
    ledger, judgement = case()
    row, result = ledger.rows[1], ended(1, "interrupted", category="machine")
    ahead = replace(result, started_at=NOW + 3599, finished_at=NOW + 3600)
    judgement.interrupt(Step(), row, ahead, NOW)
    assert row.due_at == NOW + BEGIN_AGAIN[0]


def test_the_sheets_whose_worker_was_lost_are_named_once() -> None:
    _, judgement, _ = interrupted("lost")
    assert [judgement.take_lost(), judgement.take_lost()] == [[1], []]


def test_an_end_says_what_is_known_of_it_and_nothing_that_is_not() -> None:
    result = AttemptResult(1, 3, "failed", 1.0, 2.5, signal=9, category="signal", left_running=(7,))
    assert told(SheetRow(1, attempt=3), result) == {
        "attempt": 3,
        "exit_code": None,
        "duration": 1.5,
        "signal": 9,
        "category": "signal",
        "left_running": [7],
    }


def test_a_row_takes_over_all_that_the_result_says() -> None:
    row = SheetRow(1, SheetStatus.RUNNING, 1, message="of an earlier attempt")
    result = ended(1, "failed", exit_code=2, validations=(NOT_PASSED,), left_running=(5,))
    write_down(row, result, WorkTime())
    assert (row.started_at, row.finished_at, row.exit_code) == (NOW - 0.5, NOW, 2)
    assert (row.message, row.left_running) == (None, [5])
    assert row.validations == [{"type": "x", "passed": False, "detail": ""}]
    assert row.status is SheetStatus.RUNNING
