"""A job's ledger: whatever changes is counted and noted at once, and nothing else is."""

from __future__ import annotations

import pytest
from job_play import SHELL, plan_of
from ledger_stage import (
    CHAIN,
    NOW,
    data,
    events,
    job_fields,
    ledger_of,
    saved,
    statuses,
    with_sheet,
)

from marianne.daemon.job.judgement import write_down
from marianne.daemon.job.ledger import forget_crashes
from marianne.daemon.shared.effects import Step
from marianne.model.plan import Instrument
from marianne.model.result import AttemptResult
from marianne.state.changes import SaveSheet
from marianne.state.errors import IllegalTransition
from marianne.state.models import JobStatus, SheetRow, SheetStatus

GHOST = Instrument("ghost", unavailable="it is not installed")


def test_a_sheet_without_a_row_counts_as_pending() -> None:
    ledger = ledger_of(CHAIN, {1: "completed"})
    assert (ledger.progress()["completed"], ledger.progress()["pending"]) == (1, 2)
    assert sum(ledger.progress().values()) == 2 * 3


def test_what_is_only_looked_at_is_not_kept() -> None:
    ledger = ledger_of(CHAIN)
    ledger.peek(2)
    assert ledger.rows == {}
    ledger.row(2)
    assert list(ledger.rows) == [2]


def test_a_change_is_counted_set_and_noted_together() -> None:
    ledger, step = ledger_of(CHAIN, {1: "waiting"}), Step()
    ledger.set_row(step, ledger.row(1), SheetStatus.CANCELLED, message="why", due_at=None)
    assert saved(step) == [(1, "cancelled")]
    assert (ledger.counts[SheetStatus.WAITING], ledger.counts[SheetStatus.CANCELLED]) == (0, 1)
    assert ledger.rows[1].message == "why"


def test_what_was_noted_stays_as_it_was_though_the_row_goes_on() -> None:
    ledger, step = ledger_of(CHAIN), Step()
    row = ledger.row(1)
    ledger.start(step, row, NOW)
    ledger.set_row(step, row, SheetStatus.COMPLETED)
    assert saved(step) == [(1, "running"), (1, "completed")]


def test_an_illegal_move_is_neither_counted_nor_noted() -> None:
    ledger, step = ledger_of(CHAIN, {1: "completed"}), Step()
    with pytest.raises(IllegalTransition):
        ledger.start(step, ledger.row(1), NOW)
    assert step == Step()
    assert (ledger.counts[SheetStatus.COMPLETED], ledger.counts[SheetStatus.RUNNING]) == (1, 0)


def test_a_person_may_bring_an_end_back() -> None:
    ledger, step = ledger_of(CHAIN, {1: "completed"}), Step()
    ledger.move(ledger.row(1), SheetStatus.PENDING, asked=True)
    ledger.save(step, ledger.row(1), asked=True)
    assert [c.asked for c in step.changes if isinstance(c, SaveSheet)] == [True]


def test_a_start_numbers_the_attempt_and_clears_what_was_known_of_the_one_before() -> None:
    row = SheetRow(1, SheetStatus.WAITING, 4, exit_code=1, signal=9, due_at=50.0, finished_at=40.0)
    row.validations, row.left_running = [{"type": "x"}], [7]
    ledger, step = ledger_of(CHAIN, [row]), Step()
    ledger.start(step, row, NOW)
    assert row == SheetRow(1, SheetStatus.RUNNING, 5, started_at=NOW)
    assert data(step, "sheet.started") == {"attempt": 5, "instrument": "shell"}
    assert saved(step) == [(1, "running")]


def test_a_start_passes_over_instruments_that_are_not_there() -> None:
    plan = with_sheet(plan_of(CHAIN), 1, instrument=GHOST, fallbacks=(GHOST, SHELL))
    ledger, step = ledger_of(plan), Step()
    ledger.start(step, ledger.row(1), NOW)
    assert ledger.rows[1].fallback == 2
    assert data(step, "sheet.started")["instrument"] == "shell"


def test_where_no_instrument_is_there_the_first_is_named() -> None:
    plan = with_sheet(plan_of(CHAIN), 1, instrument=GHOST, fallbacks=(GHOST,))
    ledger = ledger_of(plan)
    assert ledger.available(SheetRow(1), 1) == 1
    assert ledger.instrument(SheetRow(1)) is GHOST


def test_the_true_start_is_shown_and_not_written() -> None:
    ledger = ledger_of(CHAIN, {1: "running"})
    ledger.show_start(Step(), ledger.rows[1], 90.0)
    assert ledger.rows[1].started_at == 90.0


def test_the_job_moves_with_its_fields_and_both_are_noted() -> None:
    ledger, step = ledger_of(CHAIN), Step()
    ledger.set_job(step, JobStatus.PAUSING, reason="person")
    assert (ledger.job.status, ledger.job.reason) == (JobStatus.PAUSING, "person")
    assert job_fields(step) == {"status": JobStatus.PAUSING, "reason": "person"}


def test_a_status_that_only_leads_to_the_next_is_never_written() -> None:
    ledger, step = ledger_of(CHAIN, status=JobStatus.QUEUED), Step()
    ledger.pass_through(JobStatus.CANCELLING)
    assert ledger.job.status is JobStatus.CANCELLING
    ledger.set_job(step, JobStatus.CANCELLED)
    assert job_fields(step) == {"status": JobStatus.CANCELLED}


def test_an_option_is_written_with_the_others_and_what_was_written_before_stays() -> None:
    ledger, step = ledger_of(CHAIN, start_sheet=2), Step()
    ledger.keep_option(step, "ran_seconds", 1.0)
    before = job_fields(step)["options"]
    ledger.keep_option(step, "ran_seconds", 2.0)
    assert before == {"start_sheet": 2, "ran_seconds": 1.0}
    assert job_fields(step)["options"] == {"start_sheet": 2, "ran_seconds": 2.0}


def test_an_event_is_of_its_sheet_or_of_the_job() -> None:
    ledger, step = ledger_of(CHAIN), Step()
    ledger.event(step, "sheet.skipped", 2, now=NOW)
    ledger.event(step, "job.paused", data={"reason": "cost"}, now=NOW)
    assert events(step) == [("sheet.skipped", 2), ("job.paused", None)]


@pytest.mark.parametrize(
    ("status", "category", "counted_on"),
    [
        ("completed", None, True),
        ("skipped", "skip_condition", True),
        ("skipped", "dependency", False),
        ("failed", None, False),
        ("running", None, False),
    ],
)
def test_dependents_may_count_on_what_completed_or_its_condition_skipped(
    status: str, category: str | None, counted_on: bool
) -> None:
    ledger = ledger_of(CHAIN, [SheetRow(1, SheetStatus(status), category=category)])
    assert ledger.is_satisfied(1) is counted_on
    assert not ledger.is_satisfied(3)


def test_what_a_sheet_lacks_is_found_as_far_as_nobody_can_count_on_it() -> None:
    ledger = ledger_of({1: (), 2: (1,), 3: (2,), 4: (3,)}, {2: "completed", 3: "failed"})
    assert ledger.unmet([4]) == {3}, "what completed needs no more of its own"
    assert ledger.unmet([3, 4]) == set(), "those that are named are not lacking"


def test_what_depends_on_a_sheet_is_found_however_far_below() -> None:
    ledger = ledger_of({1: (), 2: (1,), 3: (2,), 4: (1, 3), 5: ()})
    assert (ledger.below(1), ledger.below(3)) == ({2, 3, 4}, {4})
    assert list(ledger.dependents(1)) == [2, 4]


def test_all_is_over_when_no_sheet_is_left_with_or_without_a_row() -> None:
    ledger = ledger_of(CHAIN, {1: "completed", 2: "failed"})
    assert not ledger.all_over()
    ledger.set_row(Step(), ledger.row(3), SheetStatus.SKIPPED)
    assert ledger.all_over()
    assert statuses(ledger) == ["completed", "failed", "skipped"]


def test_the_scheduler_is_told_depth_retries_and_who_plays() -> None:
    plan = with_sheet(plan_of(CHAIN), 3, instrument=Instrument("agent", model="m"))
    info = ledger_of(plan, [SheetRow(3, failures=2)]).info(SheetRow(3, failures=2))
    assert (info.sheet_num, info.backend_type, info.model) == (3, "agent", "m")
    assert (info.dag_depth, info.retries_so_far) == (2, 2)


def test_a_death_before_an_attempt_ended_is_forgotten_on_disk_too() -> None:
    ledger, step = ledger_of(CHAIN), Step()
    ledger.job.crashes = 3
    forget_crashes(ledger.job, step)
    assert (ledger.job.crashes, job_fields(step)) == (0, {"crashes": 0})


@pytest.mark.parametrize("status", JobStatus)
def test_a_job_goes_on_while_it_runs_or_lets_its_sheets_finish(status: JobStatus) -> None:
    goes_on = status in (JobStatus.RUNNING, JobStatus.PAUSING)
    assert ledger_of(CHAIN, status=status).goes_on() is goes_on


def test_what_stood_still_is_taken_off_its_time_when_it_goes_on() -> None:
    ledger, step = ledger_of(CHAIN), Step()
    ledger.start(step, ledger.row(1), NOW)
    ledger.hold(step, True, NOW + 10)
    ledger.hold(step, True, NOW + 20)
    assert events(step) == [("sheet.started", 1), ("job.held", None)]
    assert ledger.work.up_to(NOW + 3600) == 10
    ledger.hold(step, False, NOW + 3600)
    assert ledger.rows[1].worked == -3590, "with the time since its start, 10 seconds"
    assert saved(step) == [(1, "running"), (1, "running")]
    assert ledger.work.up_to(NOW + 3605) == 15


def test_what_still_stands_still_as_it_ends_has_not_worked_since() -> None:
    """A stop ends it where it stands; what ends one after the other began to stand at once."""
    ledger, step = ledger_of(CHAIN), Step()
    for num in (1, 2):
        ledger.start(step, ledger.row(num), NOW)
    ledger.hold(step, True, NOW + 10)
    for num, ended in ((1, NOW + 3600), (2, NOW + 3601)):
        row = ledger.row(num)
        write_down(row, AttemptResult(num, 1, "interrupted", NOW, ended), ledger.work)
        ledger.set_row(step, row, SheetStatus.PENDING)
    assert [ledger.rows[num].worked for num in (1, 2)] == [10, 10]
    assert ledger.work.up_to(NOW + 9999) == 10
