"""Graphics processors and memory: what the machine has of them, and who is next to get some. Pure.

They are not shared out as slots are: a sheet takes what it says, and most say nothing. One that
waits for a graphics processor, maybe for hours, must not keep the others from their processors; nor
may those keep it waiting for ever. So what a sheet waits for is kept for it in a fixed order:
graphics processors, then memory, then a slot. It keeps what comes before the one that it lacks, and
nobody else is given anything of that one. What it lacks runs dry of others, it then lacks the next,
and keeps all that it had got before: so it comes to its turn, and what it does not wait for yet is
the others'.
"""

from __future__ import annotations

from collections.abc import Sequence

from marianne.schedule.entries import NOTHING_SCARCE, Scarce
from marianne.schedule.slots import Slots

NAMES = ("gpus", "MB of memory")
"""What a :data:`Scarce` counts, in its order."""


class Stocks:
    """``limits`` are what there is of each, ``taken`` what running sheets have."""

    __slots__ = ("limits", "taken")

    def __init__(self, gpus: float, memory_mb: float) -> None:
        self.limits: tuple[float, float] = (gpus, memory_mb)
        self.taken: Scarce = NOTHING_SCARCE

    def take(self, scarce: Scarce) -> None:
        """A sheet has so much more, whatever the limits say."""
        self.taken = (self.taken[0] + scarce[0], self.taken[1] + scarce[1])

    def give(self, scarce: Scarce) -> None:
        """A sheet has so much no more."""
        self.taken = (self.taken[0] - scarce[0], self.taken[1] - scarce[1])

    def beyond(self, scarce: Scarce) -> int | None:
        """The first of which there is less in all than the sheet takes; None: of none."""
        over = (at for at, amount in enumerate(scarce) if amount > self.limits[at])
        return next(over, None)


class Look:
    """One look at what waits, the most urgent first: which of it may begin.

    What takes more than there is in all has no turn, and nothing waits behind it.
    """

    __slots__ = ("_free", "_shut", "_stocks", "closed")

    def __init__(self, stocks: Stocks) -> None:
        self._stocks = stocks
        limits, taken = stocks.limits, stocks.taken
        self._free = [limits[0] - taken[0], limits[1] - taken[1]]
        self._shut: list[Slots] = []
        self.closed = [False, False]
        """Of which nobody gets any more, since one that was asked about waits for it."""

    def may_begin(self, slots: Slots, cost: float, scarce: Scarce) -> bool:
        """Whether the next one in order may, which takes so many slots of its kind."""
        if scarce is not NOTHING_SCARCE and not self._has(scarce):
            return False
        if slots in self._shut:
            return False
        if slots.full or not slots.fits(cost):
            self._shut.append(slots)
            self._keep(scarce)
            return False
        return True

    def _has(self, scarce: Scarce) -> bool:
        if self._stocks.beyond(scarce) is not None:
            return False
        for at, amount in enumerate(scarce):
            if amount and (self.closed[at] or amount > self._free[at]):
                if not self.closed[at]:
                    self.closed[at] = True
                    self._keep(scarce[:at])
                return False
        return True

    def _keep(self, amounts: Sequence[int]) -> None:
        for at, amount in enumerate(amounts):
            self._free[at] -= amount
