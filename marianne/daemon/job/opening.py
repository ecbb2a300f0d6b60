"""Before the first sheet of a job: what is left out, and whether it can be done at all. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from marianne.daemon.job import endings
from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.effects import Step
from marianne.model.plan import SheetPlan
from marianne.state.models import JobStatus, SheetStatus


def open_job(ledger: Ledger, step: Step, now: float) -> None:
    """Leaves out what ``--start-sheet`` leaves out. A sheet that no instrument can play fails the
    job before anything is done; one that may yet be skipped is waited for.

    Does nothing where an attempt was made already.
    """
    if any(row.attempt for row in ledger.rows.values()):
        return
    _leave_out_the_first(ledger, step)
    unplayable = [
        sheet
        for sheet in ledger.plan.sheets
        if sheet.next_available() is None
        and not (sheet.skip_when or sheet.skip_when_command)
        and not ledger.peek(sheet.num).status.terminal
    ]
    if unplayable:
        _fail_without_instrument(ledger, step, unplayable, now)


def _leave_out_the_first(ledger: Ledger, step: Step) -> None:
    first = ledger.job.options.get("start_sheet") or 1
    for num in range(1, min(first, len(ledger.plan.sheets))):
        row = ledger.row(num)
        if not row.status.terminal:
            why = "before the sheet that was asked for"
            ledger.set_row(step, row, SheetStatus.SKIPPED, category="skip_condition", message=why)


def _fail_without_instrument(
    ledger: Ledger, step: Step, sheets: Sequence[SheetPlan], now: float
) -> None:
    for sheet in sheets:
        instrument = sheet.instrument
        message = f"{instrument.profile}: {instrument.unavailable}"
        fields = {"category": "not_found", "message": message}
        ledger.set_row(step, ledger.row(sheet.num), SheetStatus.FAILED, **fields)
        ledger.event(step, "sheet.failed", sheet.num, fields, now=now)
    # Only now: a dependent that has no instrument either has failed, and is not skipped.
    for sheet in sheets:
        endings.skip_dependents(ledger, step, sheet.num, now)
    why = f"sheet {sheets[0].num} ({sheets[0].name}) has no instrument"
    endings.leave_out_the_rest(ledger, step, why)
    error = f"{why}: {ledger.rows[sheets[0].num].message}"
    endings.end_job(ledger, step, JobStatus.FAILED, now, error)
