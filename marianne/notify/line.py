"""Who is told next: the notices that wait, and what keeps each from being told now. Pure.

A notice waits for its digest, for the end of quiet hours, for its address to have room, or for the
next try of an address that could not be reached. One address never holds up another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from actors import Backoff
from marianne.notify.notice import MOST, Notice
from marianne.notify.quiet import seconds_left
from marianne.records import dataclass

AT_ONCE = 8
TO_ONE_ADDRESS = 2
"""Deliveries under way at once, in all and to one address: one that never answers takes its whole
time at each, and holds up nobody's notices but its own."""

LIMIT = 1_000
"""Notices that wait; of more the oldest are dropped, and that is said."""

BACKOFF = Backoff(min=2.0, max=600.0)
"""Between two tries of an address."""

DAY = 86_400.0
"""A notice that could not be delivered for so long is given up."""


def due(notice: Notice, now: float, wall: float) -> float:
    """When it is to be told, by the steady clock; ``wall`` is the other one's time now."""
    if notice.urgent:
        return now
    # It may have happened long ago, or, by a clock that was set, in the future.
    gathered = min(notice.event.ts + notice.digest_seconds - wall, notice.digest_seconds)
    quiet = seconds_left(str(notice.receiver["config"].get("quiet", "")), wall)
    return now + max(0.0, gathered, quiet)


@dataclass(slots=True)
class _Pause:
    failures: int = 0
    until: float = 0.0


class Line:
    """What waits, and what is under way. ``now`` is the steady clock's."""

    def __init__(self) -> None:
        self.waiting: list[Notice] = []
        self._busy: Counter[str] = Counter()
        self._pauses: dict[str, _Pause] = {}

    def add(self, notices: Sequence[Notice]) -> None:
        """These wait."""
        self.waiting += notices

    def drop(self) -> list[Notice]:
        """Takes out the oldest of those that are too many."""
        many = self.waiting[: max(0, len(self.waiting) - LIMIT)]
        del self.waiting[: len(many)]
        return many

    def take(self, now: float) -> list[Notice]:
        """What is to be delivered now, together; empty if nothing is. Tell its end."""
        if self._busy.total() >= AT_ONCE:
            return []
        for notice in self.waiting:
            if notice.due <= now and self._free_at(notice, now) <= now:
                taken = self._with_others(notice)
                self._take_out(taken)
                self._busy[notice.address] += 1
                return taken
        return []

    def next_look(self, now: float) -> float | None:
        """Seconds until something is due that waits for its time; None: nothing does."""
        times = [max(one.due, self._paused_until(one.address)) for one in self.waiting]
        later = [time for time in times if time > now]
        return min(later) - now if later else None

    def ended(self, notices: Sequence[Notice]) -> None:
        """A delivery is not under way any more."""
        self._busy -= Counter({notices[0].address: 1})

    def reached(self, address: str) -> None:
        """It could be told: it is tried at once again."""
        self._pauses.pop(address, None)

    def missed(self, notices: Sequence[Notice], now: float) -> list[Notice]:
        """They could not be told, and wait again: with all that were due to go the same way, of
        which none could have been either. Returns these, each with one try more."""
        address = notices[0].address
        if len(self._pauses) >= LIMIT:
            self._pauses.clear()
        pause = self._pauses.setdefault(address, _Pause())
        if pause.until <= now:  # two that were under way together are one try of the address
            pause.until = now + BACKOFF.delay(pause.failures, address)
            pause.failures += 1
        beside = [one for one in self.waiting if one.address == address and one.due <= now]
        tried = [replace(one, tries=one.tries + 1) for one in (*notices, *beside)]
        self._take_out(beside)
        self.waiting = tried + self.waiting
        return tried

    def give_up(self, notices: Sequence[Notice]) -> None:
        """These do not wait any more."""
        self._take_out(notices)

    def _take_out(self, notices: Sequence[Notice]) -> None:
        these = set(map(id, notices))  # themselves: to compare all that they hold takes long
        self.waiting = [one for one in self.waiting if id(one) not in these]

    def _paused_until(self, address: str) -> float:
        pause = self._pauses.get(address)
        return pause.until if pause is not None else 0.0

    def _free_at(self, notice: Notice, now: float) -> float:
        if self._busy.get(notice.address, 0) >= TO_ONE_ADDRESS:
            return float("inf")
        return self._paused_until(notice.address)

    def _with_others(self, first: Notice) -> list[Notice]:
        """Those that were gathered with it, or have waited for the same hours to end."""
        if first.urgent or not _gathers(first):
            return [first]
        same = [
            one
            for one in self.waiting
            if not one.urgent and _gathers(one) and one.address == first.address
        ]
        return same[: 10 * MOST]


def _gathers(notice: Notice) -> bool:
    return notice.digest_seconds > 0 or bool(notice.receiver["config"].get("quiet"))
