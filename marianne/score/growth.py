"""How a plan grows by a list: which sheets are added, which were there, which are not in it. Pure.

A sheet of a list is known by its item, so that a list that is made again never makes a second sheet
of what it has one of. What needs the sheet that makes the list needs all the sheets of the list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from marianne.model.plan import Growth, Plan, SheetPlan, ValidationRule
from marianne.records import dataclass
from marianne.score import condition as conditions
from marianne.score.graph import MAX_EDGES, MAX_SHEETS
from marianne.score.variables import sheet_variables

Item = str | int | float

_FIELDS = [field.name for field in fields(SheetPlan)]
_NUM, _NAME, _INSTANCE, _ITEM = map(_FIELDS.index, ("num", "name", "instance", "item"))

UNKNOWN_ITEM = "⟨item⟩"
"""The item of the sheet of a :class:`~marianne.model.plan.ListSource`, for people."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list does to a plan. ``growth`` None: it has nothing new. ``gone`` are the sheets
    whose items are not in it any more."""

    count: int
    growth: Growth | None
    gone: tuple[int, ...]


def sheets_of(plan: Plan, source: int) -> list[SheetPlan]:
    """The sheets that the list of a sheet has made so far."""
    return [
        plan.sheets[num - 1]
        for growth in plan.grown
        if growth.source == source
        for num in range(growth.first, growth.first + len(growth.items))
    ]


def listed(plan: Plan, source: int, items: Sequence[Item], prefix: str) -> Listed:
    """What the list ``items`` of that sheet does. A name of a sheet has the item without
    ``prefix``, unless another one has that name."""
    before = {_key(sheet.item): sheet for sheet in sheets_of(plan, source)}
    new = tuple(item for item in items if _key(item) not in before)
    kept = set(map(_key, items))
    gone = tuple(sheet.num for key, sheet in before.items() if key not in kept)
    if not new:
        return Listed(len(items), None, gone)
    taken = {sheet.name for sheet in before.values()}
    own = plan.sheet(source).name
    names = tuple(_name(own, item, prefix, taken) for item in new)
    growth = Growth(source, len(plan.sheets) + 1, new, names)
    return Listed(len(items), growth, gone)


def too_large(plan: Plan, growth: Growth) -> str | None:
    """Why the plan cannot grow so, in words."""
    more = len(growth.items)
    sheets = len(plan.sheets) + more
    if sheets > MAX_SHEETS:
        return f"the job would have {sheets:,} sheets; at most {MAX_SHEETS:,} are allowed"
    need = sum(growth.source in sheet.needs for sheet in _others(plan, growth.source))
    edges = sum(len(sheet.needs) for sheet in plan.sheets) + more * (need + 1)
    if edges > MAX_EDGES:
        return f"the sheets would have {edges:,} dependencies; at most {MAX_EDGES:,} are allowed"
    return None


def grow(plan: Plan, growth: Growth) -> Plan:
    """The plan with the sheets of the growth; the same if it has them."""
    if growth.first <= len(plan.sheets):
        return plan
    if growth.first != len(plan.sheets) + 1:
        raise ValueError(f"sheets from {growth.first} on do not follow {len(plan.sheets)}")
    source = plan.lists[growth.source]
    before = len(sheets_of(plan, growth.source))
    fan_count = before + len(growth.items)
    # By position: replace() takes thirty times as long, and there may be ten thousand.
    base = replace(source.sheet, needs=(growth.source,), fan_count=fan_count)
    row = [getattr(base, name) for name in _FIELDS]
    made = []
    for index, (item, name) in enumerate(zip(growth.items, growth.names, strict=True)):
        row[_NUM], row[_NAME] = growth.first + index, name
        row[_INSTANCE], row[_ITEM] = before + index + 1, item
        made.append(SheetPlan(*row))
    added = tuple(made)
    above = {sheet.num for sheet in _others(plan, growth.source) if growth.source in sheet.needs}
    numbers = tuple(range(growth.first, growth.first + len(added)))
    shared: dict[tuple[int, ...], tuple[int, ...]] = {}  # sheets share needs, and go on to
    grown = replace(
        plan,
        sheets=(
            *(
                replace(sheet, needs=shared.setdefault(sheet.needs, sheet.needs + numbers))
                if sheet.num in above
                else sheet
                for sheet in plan.sheets
            ),
            *added,
        ),
        grown=(*plan.grown, growth),
    )
    if not any(rule.condition for rule in source.sheet.validations):
        return grown
    fitting = tuple(_fitting(grown, sheet) for sheet in added)
    return replace(grown, sheets=grown.sheets[: growth.first - 1] + fitting)


def as_before(old: Plan, new: Plan) -> Plan:
    """A new plan of a job with what lists have added to its old one, as far as they are in both:
    sheets that make a list are the same where number and name are."""
    for growth in old.grown:
        same = growth.source in new.lists and (
            new.sheet(growth.source).name == old.sheet(growth.source).name
        )
        if same:
            new = grow(new, replace(growth, first=len(new.sheets) + 1))
    return new


def _others(plan: Plan, source: int) -> list[SheetPlan]:
    """The sheets that are not of the list."""
    own = {sheet.num for sheet in sheets_of(plan, source)}
    return [sheet for sheet in plan.sheets if sheet.num not in own] if own else list(plan.sheets)


def _key(item: Item) -> str:
    return str(item)


def _name(own: str, item: Item, prefix: str, taken: set[str]) -> str:
    text = str(item)
    name = f"{own}[{text.removeprefix(prefix) or text}]"
    if name in taken:
        name = f"{own}[{text}]"
    taken.add(name)
    return name


def _fitting(plan: Plan, sheet: SheetPlan) -> SheetPlan:
    """The sheet with the rules whose condition it meets."""
    names = sheet_variables(plan, sheet)
    rules = tuple(rule for rule in sheet.validations if _applies(rule, names))
    return replace(sheet, validations=rules)


def _applies(rule: ValidationRule, names: Mapping[str, Any]) -> bool:
    return rule.condition is None or conditions.applies(rule.condition, names)
