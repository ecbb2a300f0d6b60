"""On which executor a sheet runs, as far as its score says: plain names, no engine.

The sheet's own ``executor`` goes before that of the instrument that plays it, and that before the
job's, which was asked for, is the score's or is the conductor's; it stands in the plan since the
job was submitted, so that no change of a configuration moves what runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from marianne.model.plan import Plan, SheetPlan

LOCAL: Final = "local"
"""The executor that is always there: processes of the conductor's machine."""


def executor_of(plan: Plan, sheet: SheetPlan, fallback: int = 0) -> str:
    """Where the sheet runs when the instrument of that index plays it."""
    player = sheet.instrument_at(fallback) or sheet.instrument
    return sheet.executor or player.executor or plan.executor or LOCAL


def executors_for(plan: Plan, sheet: SheetPlan) -> tuple[str, ...]:
    """Where it may run: of its instrument first, then of each fallback."""
    return tuple(executor_of(plan, sheet, number) for number in range(len(sheet.fallbacks) + 1))


def executors_of(plan: Plan) -> tuple[str, ...]:
    """All that sheets of the plan may run on, also those that lists add: the conductor's machine
    first, the others by name."""
    found = {name for sheet in plan.written for name in executors_for(plan, sheet)}
    return tuple(sorted(found, key=lambda name: (name != LOCAL, name)))


def bound(plan: Plan, default: str) -> Plan:
    """The plan with this executor for what says nothing else, where it was made by a version that
    knew no other than its conductor's."""
    if plan.executor is not None:
        return plan
    from dataclasses import replace  # a configuration is read without it

    return replace(plan, executor=default)
