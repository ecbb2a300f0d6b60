"""Before the first sheet of a job: what is left out, and whether it can be done at all. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from marianne.daemon.job import endings
from marianne.daemon.job.asked_for import CATEGORY, NOT_ASKED_FOR, before_first, left_out
from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.effects import Step
from marianne.model.plan import SheetPlan
from marianne.state.models import JobStatus, SheetStatus


def open_job(ledger: Ledger, step: Step, now: float) -> None:
    """Leaves out the sheets that were not asked for. A sheet that no instrument can play fails the
    job before anything is done; one that may yet be skipped is waited for.

    Does nothing where an attempt was made already.
    """
    if any(row.attempt for row in ledger.rows.values()):
        return
    _leave_out_the_others(ledger, step)
    unplayable = [
        sheet
        for sheet in ledger.plan.sheets
        if _cannot_be_played(_player(ledger, sheet)) and not ledger.peek(sheet.num).status.terminal
    ]
    if unplayable:
        _fail_without_instrument(ledger, step, unplayable, now)


def _cannot_be_played(sheet: SheetPlan) -> bool:
    may_be_skipped = sheet.skip_when or sheet.skip_when_command
    return sheet.next_available() is None and not may_be_skipped


def _player(ledger: Ledger, sheet: SheetPlan) -> SheetPlan:
    """Who has to be able to play: of a list, what each item becomes."""
    source = ledger.plan.lists.get(sheet.num)
    return sheet if source is None else source.sheet


def _leave_out_the_others(ledger: Ledger, step: Step) -> None:
    options, count = ledger.job.options, len(ledger.plan.sheets)
    first = before_first(options, count)
    _leave_out(ledger, step, first, "before the sheet that was asked for")
    _leave_out(ledger, step, sorted(left_out(options, count).difference(first)), NOT_ASKED_FOR)


def _leave_out(ledger: Ledger, step: Step, nums: Iterable[int], why: str) -> None:
    for num in nums:
        row = ledger.row(num)
        if not row.status.terminal:
            ledger.set_row(step, row, SheetStatus.SKIPPED, category=CATEGORY, message=why)


def _fail_without_instrument(
    ledger: Ledger, step: Step, sheets: Sequence[SheetPlan], now: float
) -> None:
    for sheet in sheets:
        instrument = _player(ledger, sheet).instrument
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
