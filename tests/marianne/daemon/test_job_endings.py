"""How sheets and jobs end without an attempt of their own: none stays open, each says why."""

from __future__ import annotations

import pytest
from ledger_stage import (
    CHAIN,
    NOW,
    attempts,
    data,
    events,
    job_fields,
    ledger_of,
    saved,
    statuses,
)

from marianne.daemon.job import endings
from marianne.daemon.shared.effects import Deregister, Finish, Step
from marianne.state.models import JobStatus, SheetRow, SheetStatus

INDEPENDENT: dict[int, tuple[int, ...]] = dict.fromkeys(range(1, 8), ())


@pytest.mark.parametrize(
    ("status", "how"),
    [("failed", "failed"), ("cancelled", "was cancelled"), ("skipped", "did not run")],
)
def test_what_needs_a_sheet_is_skipped_and_told_which_and_how_it_ended(
    status: str, how: str
) -> None:
    ledger, step = ledger_of(CHAIN, {1: status}), Step()
    endings.skip_dependents(ledger, step, 1, NOW)
    assert saved(step) == [(2, "skipped"), (3, "skipped")]
    assert events(step) == [("sheet.skipped", 2), ("sheet.skipped", 3)]
    assert ledger.rows[3].message == f"sheet 1 {how}"
    assert (ledger.rows[3].category, ledger.rows[3].finished_at) == ("dependency", NOW)


def test_what_runs_or_is_over_is_not_skipped() -> None:
    needs = {1: (), 2: (1,), 3: (1,), 4: (1,)}
    ledger = ledger_of(needs, {1: "failed", 2: "running", 3: "completed"})
    endings.skip_dependents(ledger, Step(), 1, NOW)
    assert statuses(ledger) == ["failed", "running", "completed", "skipped"]


def test_the_hopeless_name_what_failed_rather_than_what_was_skipped() -> None:
    needs = {1: (), 2: (), 3: (1, 2)}
    rows = [
        SheetRow(1, SheetStatus.SKIPPED, category="dependency"),
        SheetRow(2, SheetStatus.FAILED),
    ]
    ledger = ledger_of(needs, rows)
    endings.skip_hopeless(ledger, Step(), NOW)
    assert ledger.rows[3].message == "sheet 2 failed"


def test_what_may_yet_run_is_not_hopeless() -> None:
    rows = [SheetRow(1, SheetStatus.SKIPPED, category="skip_condition")]
    ledger, step = ledger_of(CHAIN, rows), Step()
    endings.skip_hopeless(ledger, step, NOW)
    assert step == Step()


def test_the_rest_is_left_out_with_the_reason() -> None:
    ledger, step = ledger_of(CHAIN, {1: "failed", 2: "waiting"}), Step()
    endings.leave_out_the_rest(ledger, step, "it rained")
    assert saved(step) == [(2, "cancelled"), (3, "cancelled")]
    assert ledger.rows[3].message == "not started: it rained"


def test_a_job_is_finished_only_behind_its_commit_and_leaves_the_queue_at_once() -> None:
    ledger, step = ledger_of(CHAIN), Step()
    endings.end_job(ledger, step, JobStatus.FAILED, NOW, "why")
    assert job_fields(step) == {"status": JobStatus.FAILED, "finished_at": NOW, "error": "why"}
    assert data(step, "job.failed")["error"] == "why"
    assert data(step, "job.failed")["total"] == 3
    assert (step.now, step.after) == ([Deregister()], [Finish(JobStatus.FAILED)])


def test_a_job_completes_if_every_sheet_can_be_counted_on() -> None:
    skipped = SheetRow(1, SheetStatus.SKIPPED, category="skip_condition")
    rows = [skipped, SheetRow(2, SheetStatus.COMPLETED), SheetRow(3, SheetStatus.COMPLETED)]
    ledger, step = ledger_of(CHAIN, rows), Step()
    endings.end_by_sheets(ledger, step, NOW)
    assert events(step) == [("job.completed", None)]


def test_a_job_fails_and_names_the_sheets_that_did() -> None:
    ledger = ledger_of(CHAIN, {1: "completed", 2: "failed", 3: "skipped"})
    endings.end_by_sheets(ledger, Step(), NOW)
    assert (ledger.job.status, ledger.job.error) == (JobStatus.FAILED, "sheet 2 (s2) failed")


def test_a_job_in_which_nothing_failed_names_what_a_cancel_left() -> None:
    ledger = ledger_of(CHAIN, {1: "cancelled", 2: "cancelled", 3: "completed"})
    endings.end_by_sheets(ledger, Step(), NOW)
    assert ledger.job.error == "not completed: sheets 1 (s1), 2 (s2)"


def test_of_many_that_failed_five_are_named_and_the_others_counted() -> None:
    ledger = ledger_of(INDEPENDENT, dict.fromkeys(INDEPENDENT, "failed"))
    endings.end_by_sheets(ledger, Step(), NOW)
    assert ledger.job.error == "sheets 1 (s1), 2 (s2), 3 (s3), 4 (s4), 5 (s5) and 2 more failed"


@pytest.mark.parametrize(
    ("reason", "status", "error"),
    [("timeout", JobStatus.FAILED, "too long"), (None, JobStatus.CANCELLED, None)],
)
def test_a_cancelled_job_leaves_nothing_open_and_one_whose_time_was_up_has_failed(
    reason: str | None, status: JobStatus, error: str | None
) -> None:
    rows = [SheetRow(1, SheetStatus.COMPLETED), SheetRow(2, SheetStatus.WAITING, due_at=200.0)]
    ledger = ledger_of(CHAIN, rows, JobStatus.CANCELLING)
    ledger.job.reason, ledger.job.error = reason, "too long"
    endings.end_cancelled(ledger, Step(), NOW)
    assert statuses(ledger) == ["completed", "cancelled", "cancelled"]
    assert ledger.rows[2].due_at is None
    assert (ledger.job.status, ledger.job.error) == (status, error)


def test_giving_up_records_what_ran_as_lost_and_leaves_nothing_open() -> None:
    ledger, step = ledger_of(CHAIN, {1: "running"}), Step()
    endings.give_up(ledger, step, "it crashed", NOW)
    assert statuses(ledger) == ["cancelled"] * 3
    assert [(a.num, a.outcome, a.category) for a in attempts(step)] == [(1, "interrupted", "lost")]
    assert {row.message for row in ledger.rows.values()} == {"it crashed"}
    assert (ledger.job.status, ledger.job.error) == (JobStatus.FAILED, "it crashed")


def test_sheets_that_ran_when_the_worker_was_lost_too_often_fail_with_their_job() -> None:
    ledger, step = ledger_of(INDEPENDENT, {7: "completed"}), Step()
    endings.fail_lost(ledger, step, [1, 7], "it was lost 3 times", NOW)
    assert statuses(ledger) == ["failed", *["cancelled"] * 5, "completed"]
    assert data(step, "sheet.failed") == {
        "category": "worker_lost",
        "message": "it was lost 3 times",
    }
    assert ledger.job.error == "it was lost 3 times; then ran: sheet 1 (s1), 7 (s7)"
