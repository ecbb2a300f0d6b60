"""Before the first sheet: what is left out, and which job fails before anything is done."""

from __future__ import annotations

from job_play import plan_of
from ledger_stage import CHAIN, NOW, events, ledger_of, statuses, with_sheet

from marianne.daemon.job.opening import open_job
from marianne.daemon.shared.effects import Step
from marianne.model.plan import Instrument, SkipCommand
from marianne.state.models import JobStatus

GHOST = Instrument("ghost", unavailable="it is not installed")


def test_sheets_before_the_one_that_was_asked_for_can_be_counted_on() -> None:
    ledger = ledger_of(CHAIN, start_sheet=3)
    open_job(ledger, Step(), NOW)
    assert statuses(ledger) == ["skipped", "skipped", "pending"]
    assert ledger.is_satisfied(2)


def test_the_last_sheet_is_never_left_out() -> None:
    ledger = ledger_of(CHAIN, start_sheet=99)
    open_job(ledger, Step(), NOW)
    assert statuses(ledger) == ["skipped", "skipped", "pending"]


def test_sheets_that_were_not_asked_for_say_so_and_can_be_counted_on() -> None:
    ledger = ledger_of(CHAIN, left_out=[[1, 1], [3, 9]])
    open_job(ledger, Step(), NOW)
    assert statuses(ledger) == ["skipped", "pending", "skipped"]
    assert ledger.is_satisfied(1)
    assert ledger.rows[1].message == "not asked for"


def test_a_job_that_had_an_attempt_is_open_already() -> None:
    ledger, step = ledger_of(CHAIN, {1: "waiting"}, start_sheet=3), Step()
    open_job(ledger, step, NOW)
    assert step == Step()


def test_a_sheet_without_an_instrument_fails_its_job_and_the_others_say_why() -> None:
    ledger, step = ledger_of(with_sheet(plan_of(CHAIN), 2, instrument=GHOST)), Step()
    open_job(ledger, step, NOW)
    assert statuses(ledger) == ["cancelled", "failed", "skipped"]
    assert events(step) == [("sheet.failed", 2), ("sheet.skipped", 3), ("job.failed", None)]
    assert ledger.rows[1].message == "not started: sheet 2 (s2) has no instrument"
    assert ledger.job.error == "sheet 2 (s2) has no instrument: ghost: it is not installed"


def test_a_dependent_without_an_instrument_has_failed_itself() -> None:
    plan = with_sheet(plan_of(CHAIN), 1, instrument=GHOST)
    ledger = ledger_of(with_sheet(plan, 2, instrument=GHOST))
    open_job(ledger, Step(), NOW)
    assert statuses(ledger) == ["failed", "failed", "skipped"]


def test_what_may_yet_be_skipped_or_was_left_out_fails_nothing() -> None:
    plan = with_sheet(plan_of(CHAIN), 1, instrument=GHOST)
    plan = with_sheet(plan, 3, instrument=GHOST, skip_when_command=SkipCommand("true"))
    ledger = ledger_of(plan, start_sheet=2)
    open_job(ledger, Step(), NOW)
    assert ledger.job.status is JobStatus.RUNNING
    assert statuses(ledger) == ["skipped", "pending", "pending"]
