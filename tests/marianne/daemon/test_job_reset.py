"""What runs again when a person retries or resumes a job."""

from __future__ import annotations

from dataclasses import replace

from job_play import plan_of
from ledger_stage import CHAIN, job_fields, ledger_of, saved, statuses, with_sheet

from marianne.daemon.job.asked_for import left_out
from marianne.daemon.job.reset import reset
from marianne.daemon.shared.effects import Step
from marianne.state.changes import SaveSheet
from marianne.state.models import SheetRow, SheetStatus


def test_without_names_all_that_did_not_complete_runs_again() -> None:
    ledger, step = ledger_of(CHAIN, {1: "completed", 2: "failed", 3: "skipped"}), Step()
    reset(ledger, step, None)
    assert saved(step) == [(2, "pending"), (3, "pending")]
    assert all(c.asked for c in step.changes if isinstance(c, SaveSheet)), "a person asked for it"


def test_what_its_condition_skipped_runs_again_only_by_name() -> None:
    row = SheetRow(1, SheetStatus.SKIPPED, category="skip_condition")
    ledger = ledger_of(CHAIN, [row])
    reset(ledger, Step(), None)
    assert statuses(ledger)[0] == "skipped"
    reset(ledger, Step(), [1])
    assert statuses(ledger)[0] == "pending"


def test_a_named_sheet_brings_what_it_lacks_and_what_depends_on_any_of_these() -> None:
    needs = {1: (), 2: (1,), 3: (1,), 4: (), 5: (4,)}
    rows = {1: "failed", 2: "skipped", 3: "skipped", 4: "completed", 5: "completed"}
    ledger = ledger_of(needs, rows)
    reset(ledger, Step(), [2])
    assert statuses(ledger) == ["pending", "pending", "pending", "completed", "completed"]


def test_a_completed_sheet_that_is_named_runs_again_and_its_dependents_with_it() -> None:
    ledger = ledger_of(CHAIN, dict.fromkeys(CHAIN, "completed"))
    reset(ledger, Step(), [2])
    assert statuses(ledger) == ["completed", "pending", "pending"]


def test_a_sheet_begins_anew_with_all_its_retries_and_its_first_instrument() -> None:
    row = SheetRow(1, SheetStatus.FAILED, 4, 3, 2, 1, category="exit", code="E1", message="no")
    row.started_at, row.finished_at, row.exit_code, row.signal = 1.0, 2.0, 3, 15
    ledger = ledger_of(CHAIN, [row])
    reset(ledger, Step(), [1])
    assert row == SheetRow(1, attempt=4), "the number of the next attempt goes on"


def test_what_is_not_over_is_left_alone() -> None:
    ledger, step = ledger_of(CHAIN, {1: "running", 2: "waiting"}), Step()
    reset(ledger, step, [1, 2])
    assert step == Step()


OUT = SheetRow(3, SheetStatus.SKIPPED, category="skip_condition", message="not asked for")


def test_what_was_not_asked_for_is_left_out_of_a_retry_that_does_not_name_it() -> None:
    failed = SheetRow(2, SheetStatus.FAILED, attempt=1)
    ledger = ledger_of(CHAIN, [failed, replace(OUT)], left_out=[[1, 1], [3, 3]])
    reset(ledger, Step(), [2])
    assert statuses(ledger) == ["pending", "pending", "skipped"]
    plan = with_sheet(plan_of(CHAIN), 3, when="always")
    failed = SheetRow(2, SheetStatus.FAILED, attempt=1)
    ledger = ledger_of(plan, [failed, replace(OUT)], left_out=[[1, 1], [3, 3]])
    reset(ledger, Step(), None)
    assert statuses(ledger) == ["pending", "pending", "skipped"]


def test_what_is_named_is_asked_for_from_then_on() -> None:
    ledger, step = ledger_of(CHAIN, [replace(OUT)], left_out=[[1, 1], [3, 3]]), Step()
    reset(ledger, step, [3])
    assert statuses(ledger)[2] == "pending"
    assert left_out(ledger.job.options, 3) == {1}
    assert job_fields(step)["options"] == ledger.job.options
    ledger, step = ledger_of(CHAIN, start_sheet=3), Step()
    reset(ledger, step, [2])
    assert left_out(ledger.job.options, 3) == {1}
