"""What of the machine people are told: that a trouble began, and that it is over. Pure.

A trouble is known by its kind and by what it is of. It is told once, however often it is looked at
and whatever dies meanwhile: what was told is kept with the telling. It is over when it has not been
seen for a while, so that one that comes and goes is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from marianne.records import dataclass

STORAGE, PRESSURE, NODE, HEART = "storage", "pressure", "node", "heart"
CONDUCTOR, PART = "conductor", "part"
"""The last two are no state: they happened."""

TROUBLE, OVER = "machine.trouble", "machine.over"

NEEDS_ME = frozenset({STORAGE, HEART, PART})
"""Kinds that do not pass by themselves, or not well."""

PRESSURE_SECONDS = 600.0
"""Pressure that lasts so long is told; before that it is what queues are for."""

OVER_SECONDS = 60.0
"""A trouble that was not seen for so long is over."""

WORDS = {
    STORAGE: "the state cannot be written",
    PRESSURE: "under pressure for long",
    NODE: "a node is lost",
    HEART: "nobody would replace the conductor",
    CONDUCTOR: "the conductor died and was replaced",
    PART: "a part of the conductor gave up",
}

Key = tuple[str, str]


class Told(NamedTuple):
    """One thing to tell, with the event of this name."""

    event: str
    kind: str
    what: str
    why: str
    since: float

    def data(self) -> dict[str, Any]:
        """What the event says; ``since`` is in seconds since the epoch."""
        return {"kind": self.kind, "what": self.what, "why": self.why, "since": self.since}


@dataclass(slots=True)
class _Open:
    why: str
    since: float
    good_since: float | None = None


class Facts:
    """Troubles that were told and are not over. ``now`` is the steady clock's, ``wall`` the other
    one's; ``kept`` is what :meth:`packed` was."""

    def __init__(self, kept: Sequence[Sequence[Any]] = ()) -> None:
        self._open: dict[Key, _Open] = {
            (str(kind), str(what)): _Open(str(why), float(since)) for kind, what, why, since in kept
        }
        self._pending: dict[Key, float] = {}

    def open(self, kind: str) -> dict[str, str]:
        """Troubles of a kind, and why."""
        return {what: one.why for (found, what), one in self._open.items() if found == kind}

    def decide(self, found: Mapping[Key, str], now: float, wall: float) -> list[Told]:
        """What is to be told, by what is the case; say :meth:`told` when that is on disk."""
        self._pending = {key: self._pending.get(key, now) for key in found if key not in self._open}
        begun = [
            Told(TROUBLE, *key, found[key], wall)
            for key, since in self._pending.items()
            if now - since >= (PRESSURE_SECONDS if key[0] == PRESSURE else 0.0)
        ]
        return begun + self._over(found, now)

    def _over(self, found: Mapping[Key, str], now: float) -> list[Told]:
        ended = []
        for key, one in self._open.items():
            if key in found:
                one.good_since = None
                continue
            one.good_since = now if one.good_since is None else one.good_since
            if now - one.good_since >= OVER_SECONDS:
                ended.append(Told(OVER, *key, one.why, one.since))
        return ended

    def told(self, told: Told) -> None:
        """It is on disk, or on its way there."""
        key = (told.kind, told.what)
        if told.event == OVER:
            self._open.pop(key, None)
        else:
            self._open[key] = _Open(told.why, told.since)
            self._pending.pop(key, None)

    def packed(self, told: Sequence[Told] = ()) -> list[list[Any]]:
        """What is to be kept, once these are told."""
        after = {key: (one.why, one.since) for key, one in self._open.items()}
        for one in told:
            if one.event == OVER:
                after.pop((one.kind, one.what), None)
            else:
                after[one.kind, one.what] = (one.why, one.since)
        return [[*key, *rest] for key, rest in sorted(after.items())]
