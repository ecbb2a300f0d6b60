"""What the worker says that it runs, against what is written. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container

from marianne.daemon.job import endings
from marianne.daemon.job.judgement import Judgement
from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.effects import EndSheets, Step
from marianne.model.result import AttemptResult
from marianne.state.models import SheetRow, SheetStatus

Attempts = set[tuple[int, int]]


def find_running(
    ledger: Ledger, step: Step, alive: Attempts, start: Callable[[SheetRow], None]
) -> None:
    """Starts what the worker runs without our knowing, and ends what it should not run."""
    for num, attempt in sorted(alive):
        row = ledger.row(num)
        if row.status is SheetStatus.RUNNING and row.attempt == attempt:
            continue
        if not row.status.terminal and row.attempt == attempt - 1:
            # The conductor died between telling the worker and committing the start.
            start(row)
        else:
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
            judgement.interrupt(step, row, endings.lost(row, now))


def of_result(
    ledger: Ledger, result: AttemptResult, start: Callable[[SheetRow], None]
) -> SheetRow | None:
    """The row of the result's sheet, if the attempt is the current one: running, or begun without
    our knowing, which starts it now."""
    if result.num > len(ledger.plan.sheets):
        return None  # of an earlier plan (modify); it was still in the worker's spool
    row = ledger.row(result.num)
    if row.status is not SheetStatus.RUNNING:
        if row.status.terminal or row.attempt != result.attempt - 1:
            return None
        start(row)
    return row if row.attempt == result.attempt else None
