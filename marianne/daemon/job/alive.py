"""What the worker says that it runs, against what is written. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container

from marianne.daemon.job import endings
from marianne.daemon.job.judgement import Judgement
from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.effects import EndSheets, Requeue, Step
from marianne.model.result import AttemptResult
from marianne.state.models import JobStatus, SheetRow, SheetStatus

Attempts = set[tuple[int, int]]
Start = Callable[[Step, SheetRow, float], None]


def find_running(
    ledger: Ledger, judgement: Judgement, step: Step, alive: Attempts, start: Start, now: float
) -> None:
    """Starts what the worker runs without our knowing, and ends what it should not run."""
    for num, attempt in sorted(alive):
        row = ledger.row(num)
        if row.status is SheetStatus.RUNNING and row.attempt == attempt:
            continue
        if row.attempt == attempt - 1 and _may_begin(ledger, judgement, step, row, now):
            start(step, row, now)
        if row.status is not SheetStatus.RUNNING or row.attempt != attempt:
            step.now.append(EndSheets((num,), "lost"))


def interrupt_others(
    ledger: Ledger,
    judgement: Judgement,
    step: Step,
    alive: Container[tuple[int, int]],
    now: float,
) -> None:
    """Whatever is written to run and does not was lost with its worker."""
    for num in ledger.running():
        row = ledger.rows[num]
        if (num, row.attempt) not in alive:
            judgement.interrupt(step, row, endings.lost(row, now), now)


def of_result(
    ledger: Ledger, judgement: Judgement, step: Step, result: AttemptResult, start: Start
) -> SheetRow | None:
    """The row of the result's sheet, if the attempt is the current one: running, or begun without
    our knowing (also that the one before it was lost), which starts it now."""
    if result.num > len(ledger.plan.sheets):
        return None  # of an earlier plan (modify); it was still in the worker's spool
    row = ledger.row(result.num)
    began = result.started_at
    if row.attempt == result.attempt - 1 and _may_begin(ledger, judgement, step, row, began):
        start(step, row, began)
    if row.status is not SheetStatus.RUNNING or row.attempt != result.attempt:
        return None
    if result.node is not None and result.category != "lost":  # its start may not have been heard
        ledger.show_start(step, row, began, result.walls, result.node)
    return row


def _may_begin(ledger: Ledger, judgement: Judgement, step: Step, row: SheetRow, now: float) -> bool:
    """Whether the sheet's next attempt, which began without our knowing, is to be written down.

    We died before its start was written. One that is written to run was lost before that, which was
    not written either; of a job that is being cancelled it ends as it is written.
    """
    if row.status.terminal:
        return False
    if row.status is SheetStatus.RUNNING:
        if ledger.job.status is JobStatus.CANCELLING:
            return False
        judgement.interrupt(step, row, endings.lost(row, now), now)
        again = Requeue(ledger.info(row))
        step.now = [effect for effect in step.now if effect != again]  # it runs
    return True
