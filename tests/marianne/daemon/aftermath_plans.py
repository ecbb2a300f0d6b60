"""Plans whose last sheet runs for the end of others, and how they went."""

from __future__ import annotations

from collections.abc import Callable

from job_play import Play, plan_of
from ledger_stage import with_sheet

from marianne.model.plan import Plan, When

PAIR = {1: (), 2: (1,), 3: (1, 2)}


def closing(
    when: When, needs: dict[int, tuple[int, ...]] = PAIR, *, after_cancel: bool = False
) -> Plan:
    """A plan whose last sheet runs for that end of its needs."""
    return with_sheet(plan_of(needs), len(needs), when=when, after_cancel=after_cancel)


def statuses(play: Play) -> list[str]:
    return [str(play.disk[n].status) for n in sorted(play.disk)]


def fails(*nums: int) -> Callable[[int], str]:
    return lambda num: "failed" if num in nums else "completed"
