"""Sheets that wait in the worker for the end of another of their job.

A short sheet would leave its slot empty while its end is told, judged and answered by another
grant. So the scheduler lends a job of short sheets some that hold no slot of their own
(:meth:`marianne.schedule.lending.Lending.take`): the worker begins one when another ends,
and says so. Until then such a sheet is pending like any that waits, its attempt has no number on
disk, and it can be taken back: before a job pauses or is cancelled the worker gives back what it
has not begun. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from marianne.model.plan import Plan

AHEAD_SECONDS = 0.05
"""How long what is lent to a slot may take, and other jobs may have to wait for it."""

AHEAD_LIMIT = 32
"""Sheets lent to a slot at most."""

WEIGHT = 0.1
"""Of the newest sheet in the mean of how long they take."""


class Prefetch:
    """Which sheets the worker was lent and has not begun, as far as we know, and how many a slot
    of the job may be lent."""

    def __init__(self, plan: Plan) -> None:
        self.lent: set[int] = set()
        self._simple = _is_simple(plan)
        self._mean_seconds: float | None = None

    def per_slot(self) -> int:
        """How many sheets a slot may be lent: none before a sheet has shown how long they take."""
        mean = self._mean_seconds
        if mean is None or not self._simple:
            return 0
        fit = int(AHEAD_SECONDS / max(mean, 1e-4))
        return min(fit, AHEAD_LIMIT) if fit > 1 else 0

    def took(self, seconds: float) -> None:
        """A sheet took so long."""
        mean = self._mean_seconds
        self._mean_seconds = seconds if mean is None else mean + WEIGHT * (seconds - mean)

    def lend(self, num: int) -> None:
        """The worker is given the sheet, to begin when another ends."""
        self.lent.add(num)

    def begun(self, num: int) -> None:
        """The sheet has begun, lent or not."""
        self.lent.discard(num)

    def returned(self, nums: Iterable[int]) -> list[int]:
        """The worker gave back all that it had not begun. Returns what of ``nums`` was lent."""
        back = [num for num in dict.fromkeys(nums) if num in self.lent]
        self.lent.clear()
        return back

    def found(self, lent: Iterable[tuple[int, int]]) -> bool:
        """After a restart the worker names the sheets (and attempts) that an earlier incarnation
        lent it; whether there are any."""
        self.lent = {num for num, _ in lent}
        return bool(self.lent)


def _is_simple(plan: Plan) -> bool:
    """What decides at its start whether or how a sheet runs needs a grant of its own."""
    paced = plan.stagger_seconds or plan.pause_between_sheets_seconds
    return not paced and all(
        sheet.cross_sheet is None
        and not sheet.skip_when
        and all(player.raw_prompt for player in (sheet.instrument, *sheet.fallbacks))
        for sheet in plan.written
    )
