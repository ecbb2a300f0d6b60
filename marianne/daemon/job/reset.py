"""Sheets that ended are made pending again: for ``retry`` and ``resume``. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from marianne.daemon.job.asked_for import leaving_out, left_out
from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.effects import Step
from marianne.score.growth import sheets_of
from marianne.state.models import SheetStatus


def reset(ledger: Ledger, step: Step, nums: Iterable[int] | None) -> None:
    """Makes failed, cancelled and skipped sheets pending, with all their retries.

    ``nums`` None means every one of them, but not what a condition skipped; else those, what they
    need that did not complete (:meth:`Ledger.unmet`), and the sheets that depend on any of these.
    Completed sheets stay unless they are named or depend on one that is; what a list has made stays
    where the sheet of the list is named. What ran for the end of
    sheets (``when``) runs for their next end again, completed or not. What was not asked for when
    the job was submitted is left out still, until it is named.
    """
    out = left_out(ledger.job.options, len(ledger.plan.sheets))
    if nums is None:
        left = [num for num, row in ledger.rows.items() if not row.good]
        again = {n for n in ledger.below(*left) if ledger.plan.sheets[n - 1].when != "succeeded"}
        chosen = again.union(left, ledger.below(*again))
    else:
        named = set(nums)
        chosen = _with_kin(ledger, named)
        if not out.isdisjoint(named):
            out -= named
            for option, value in leaving_out(out).items():
                ledger.keep_option(step, option, value)
    chosen -= out
    for num, row in sorted(ledger.rows.items()):
        if row.status.terminal and num in chosen:
            ledger.move(row, SheetStatus.PENDING, asked=True)
            row.failures = row.completions = row.fallback = 0
            row.category = row.code = row.message = row.due_at = None
            row.started_at = row.finished_at = row.exit_code = row.signal = None
            ledger.save(step, row, asked=True)


def _with_kin(ledger: Ledger, nums: set[int]) -> set[int]:
    chosen = nums | ledger.unmet(nums)
    lists = chosen & ledger.plan.lists.keys()
    found = chosen | ledger.below(*(chosen - lists))
    return found.union(*(ledger.below(num) - _done(ledger, num) for num in lists))


def _done(ledger: Ledger, num: int) -> set[int]:
    """What the sheet's list has made and is completed: a list made again leaves it alone."""
    if num not in ledger.plan.lists:
        return set()
    made = (sheet.num for sheet in sheets_of(ledger.plan, num))
    return {one for one in made if ledger.peek(one).status is SheetStatus.COMPLETED}
