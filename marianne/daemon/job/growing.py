"""What the list of a sheet does to its job: it has more sheets, or some are left out. Pure.

The result with the list is in the worker's spool before it is told, and the plan grows in the
transaction that commits the result; so what a restart finds is no list, which is made again, or
this one. Nothing of the new sheets begins before that is on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.effects import Complete, Grow, Step
from marianne.model.plan import Growth
from marianne.model.result import AttemptResult
from marianne.score.growth import grow, listed, too_large
from marianne.score.pack import pack_plan
from marianne.state.changes import GrowPlan
from marianne.state.models import SheetRow, SheetStatus

CATEGORY = "list"
GONE = "not in the list any more"
NONE = "no items"

_USED = "numbers_used"
"""The option of a job that goes on by a shorter score: pairs of a number above those of its sheets,
and of the last attempt that a sheet with this number had. A list may make sheets that get it."""


def used(count: int, rows: Iterable[SheetRow], attempts: Mapping[int, int]) -> dict[str, Any]:
    """The options of a job that has ``count`` sheets now, and these rows before; ``attempts`` as in
    :func:`marianne.daemon.jobs.plan_diff.replan`."""
    last = {**attempts, **{row.num: row.attempt for row in rows}}
    return {_USED: [[num, last[num]] for num in sorted(last) if num > count and last[num]]}


def take(
    ledger: Ledger,
    step: Step,
    row: SheetRow,
    result: AttemptResult,
    grown: Callable[[Growth], None] = lambda _: None,
) -> AttemptResult:
    """Does what the list of the result says; returns the result as it is to be judged. ``grown`` is
    told of new sheets.

    It has failed if the plan cannot grow so; a list without items skips its sheet.
    """
    given, result = result.listed, replace(result, listed=None)
    if given is None or result.outcome != "completed" or row.num not in ledger.plan.lists:
        return result
    found = listed(ledger.plan, row.num, given["items"], given["prefix"])
    if found.growth is not None:
        why = too_large(ledger.plan, found.growth)
        if why is not None:
            return replace(result, outcome="failed", category=CATEGORY, message=why)
        _grow(ledger, step, found.growth)
        grown(found.growth)
    _leave_out(ledger, step, found.gone, result.finished_at)
    added = 0 if found.growth is None else len(found.growth.items)
    data = {"items": found.count, "added": added, "gone": len(found.gone)}
    if found.growth is not None:
        data |= {"first": found.growth.first, "last": found.growth.first + added - 1}
    ledger.event(step, "sheet.listed", row.num, data, now=result.finished_at)
    return result if found.count else replace(result, outcome="skipped", message=NONE)


def _grow(ledger: Ledger, step: Step, growth: Growth) -> None:
    plan = grow(ledger.plan, growth)
    ledger.grow(plan, growth)
    step.changes.append(GrowPlan(ledger.job.job_id, pack_plan(plan), len(plan.sheets)))
    for num, attempt in ledger.job.options.get(_USED) or ():
        if growth.first <= num <= len(plan.sheets):  # numbers of attempts are never used twice
            row = ledger.row(num)
            row.attempt = attempt
            ledger.save(step, row)
    step.after.append(Grow(growth))


def _leave_out(ledger: Ledger, step: Step, nums: tuple[int, ...], now: float) -> None:
    """What has not completed and is not in the list any more is not done."""
    for num in nums:
        row = ledger.row(num)
        if row.status.terminal:
            continue
        fields = {"category": "skip_condition", "message": GONE}
        ledger.set_row(step, row, SheetStatus.SKIPPED, **fields, due_at=None, finished_at=now)
        ledger.event(step, "sheet.skipped", num, {"reason": GONE}, now=now)
        step.after.append(Complete(num, True))
