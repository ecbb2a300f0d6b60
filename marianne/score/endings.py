"""What a sheet that runs for any end, or for a bad one, waits for if it names no needs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from marianne.schedule.graph import dependents
from marianne.score.graph import Stage

AFTER_CANCEL_SECONDS = 300.0
"""The time limit of a sheet that runs after a cancel and names none: a cancel has an end."""


def wait_for_all(stages: Sequence[Stage], closing: Collection[int]) -> list[Stage]:
    """The stages, of which those in ``closing`` that need nothing need all that are not in
    ``closing`` and depend on none of these: so no two wait for each other."""
    last = [stage.num for stage in stages if stage.num in closing and not stage.needs]
    after = _above(stages, last)
    needs = tuple(s.num for s in stages if s.num not in closing and s.num not in after)
    last_ones = set(last)
    return [replace(s, needs=needs, joins=True) if s.num in last_ones else s for s in stages]


def _above(stages: Sequence[Stage], nums: Sequence[int]) -> set[int]:
    """What needs one of these stages, directly or not."""
    above = dependents({stage.num: stage.needs for stage in stages})
    found: set[int] = set()
    todo = list(nums)
    while todo:
        for upper in above.get(todo.pop(), ()):
            if upper not in found:
                found.add(upper)
                todo.append(upper)
    return found
