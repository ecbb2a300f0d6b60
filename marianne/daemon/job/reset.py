"""Sheets that ended are made pending again: for ``retry`` and ``resume``. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.effects import Step
from marianne.state.models import SheetRow, SheetStatus


def reset(ledger: Ledger, step: Step, nums: Iterable[int] | None) -> None:
    """Makes failed, cancelled and skipped sheets pending, with all their retries.

    ``nums`` None means every one of them, but not what a condition skipped; else those, what they
    need that did not complete (:meth:`Ledger.unmet`), and the sheets that depend on any of these.
    Completed sheets stay unless they are named or depend on one that is.
    """
    chosen = None if nums is None else _with_kin(ledger, set(nums))
    for num, row in sorted(ledger.rows.items()):
        if row.status.terminal and (_may_run_again(row) if chosen is None else num in chosen):
            ledger.move(row, SheetStatus.PENDING, asked=True)
            row.failures = row.completions = row.fallback = 0
            row.category = row.code = row.message = row.due_at = None
            ledger.save(step, row, asked=True)


def _with_kin(ledger: Ledger, nums: set[int]) -> set[int]:
    chosen = nums | ledger.unmet(nums)
    return chosen.union(*(ledger.below(num) for num in chosen))


def _may_run_again(row: SheetRow) -> bool:
    return row.status is not SheetStatus.COMPLETED and row.category != "skip_condition"
