"""What an attempt is told of earlier sheets and attempts: what it may ask for, and no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from job_play import plan_of
from ledger_stage import CHAIN, ledger_of, with_sheet

from marianne.daemon.job.attempt_context import AttemptContext
from marianne.model.plan import CrossSheet
from marianne.state.models import SheetRow, SheetStatus

LONG = {1: (), 2: (1,), 3: (2,), 4: (3,)}
DONE = SheetStatus.COMPLETED


def told(num: int, rows: list[SheetRow], **fields: Any) -> dict[str, Any]:
    ledger = ledger_of(with_sheet(plan_of(LONG), num, **fields), rows)
    return AttemptContext(ledger).of(ledger.row(num))


def test_most_attempts_are_told_nothing() -> None:
    assert told(2, [SheetRow(1, DONE, 1)]) == {}


def test_one_that_sees_others_is_told_what_completed_and_who_played_it() -> None:
    rows = [SheetRow(1, DONE, 2, fallback=1), SheetRow(2, DONE, 1), SheetRow(3, SheetStatus.FAILED)]
    assert told(4, rows, cross_sheet=CrossSheet(True, lookback_sheets=0)) == {
        "outputs": {1: 2, 2: 1},
        "skipped": (),
        "played": {1: 1},
    }


def test_it_sees_no_further_back_than_it_may_but_knows_which_of_its_needs_were_skipped() -> None:
    rows = [SheetRow(1, SheetStatus.SKIPPED), SheetRow(2, DONE, 1), SheetRow(3, DONE, 1)]
    fields = {"needs": (1, 2, 3), "cross_sheet": CrossSheet(True, lookback_sheets=1)}
    assert told(4, rows, **fields) == {"outputs": {3: 1}, "skipped": (1,), "played": {}}


def test_one_that_sees_no_others_is_told_which_of_its_needs_were_skipped() -> None:
    rows = [SheetRow(1, SheetStatus.SKIPPED), SheetRow(2, SheetStatus.SKIPPED)]
    assert told(3, rows) == {"skipped": (2,)}


def test_a_condition_sees_earlier_sheets_that_are_over() -> None:
    rows = [
        SheetRow(1, DONE, 1, exit_code=0),
        SheetRow(2, SheetStatus.RUNNING, 1),
        SheetRow(4, DONE, 1),
    ]
    assert told(3, rows, skip_when="true") == {"states": {1: ("completed", 1, 0)}}


def test_a_further_attempt_is_told_which_checks_failed() -> None:
    checks: list[dict[str, Any]] = [
        {"type": "file_exists", "passed": False, "detail": "no out"},
        {"type": "regex", "passed": True, "detail": ""},
        {"type": "late", "passed": None, "detail": "not reached"},
    ]
    row = SheetRow(1, SheetStatus.WAITING, 1, category="validation", validations=checks)
    assert told(1, [row]) == {"failed": ("file_exists: no out",)}
    row.completions = 1
    assert told(1, [row])["completion"] is True


def test_what_one_node_said_the_others_are_told() -> None:
    """Each node has a worker of its own, which knows its own sheets alone."""
    plan = replace(with_sheet(plan_of(LONG), 2, skip_when="true"), executor="cluster")
    ledger = ledger_of(plan, [SheetRow(1, DONE, 1, exit_code=3)])
    context = AttemptContext(ledger)
    context.reported(1)
    found = context.of(ledger.row(2))
    assert found == {"executor": "cluster", "states": {1: ("completed", 1, 3)}}


def test_what_the_worker_said_itself_it_is_not_told() -> None:
    checks = [{"type": "x", "passed": False, "detail": "y"}]
    rows = [SheetRow(1, DONE, 1), SheetRow(2, SheetStatus.WAITING, 1, validations=checks)]
    ledger = ledger_of(with_sheet(plan_of(CHAIN), 2, skip_when="true"), rows)
    context = AttemptContext(ledger)
    assert set(context.of(rows[1])) == {"states", "failed"}
    context.reported(1)
    context.reported(2)
    assert context.of(rows[1]) == {"states": {}}
