"""What becomes of the slots of a schedule that have come due. Plain data, no clock of its own.

Each slot is decided once: it is owed (a job will be made for it), skipped, or missed. Owed slots
are served one after another, the oldest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Literal, NamedTuple, TypeAlias

from marianne.records import dataclass

Overlap: TypeAlias = Literal["skip", "queue", "replace"]
CatchUp: TypeAlias = Literal["none", "one", "all"]

ON_TIME = 60.0
"""Seconds by which a slot may be late and is not missed: a conductor that is replaced takes two."""

MOST = 100
"""Slots of one schedule that are owed at most."""


class Owed(NamedTuple):
    """A slot for which a job will be made; ``replaces`` says that the last job is cancelled for it
    instead of being waited for."""

    slot: float
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Every slot up to ``until`` is decided: ``add`` are owed now, ``drop`` are owed no more.

    ``skipped`` came while the last job was not over, and ``why`` says in words what was in the way.
    ``missed`` came while nobody could fire them; ``more`` says that there are others before them.
    """

    until: float
    add: tuple[Owed, ...] = ()
    drop: tuple[float, ...] = ()
    skipped: tuple[float, ...] = ()
    missed: tuple[float, ...] = ()
    more: bool = False
    why: str = field(default="", compare=False)


def decide(
    due: Sequence[float],
    more: bool,
    now: float,
    rules: tuple[Overlap, CatchUp],
    owed: Sequence[Owed],
    busy: bool,
) -> Decision:
    """Decides the slots ``due``, oldest first, of which there are ``more`` before them or not.

    Only the newest can be on time, if it is late by ``ON_TIME`` at most: the others are missed.
    Of the missed ones none, one or all are made up for; the one is the newest slot. ``busy`` says
    that the schedule's last job is not over.
    """
    overlap, catch_up = rules
    if catch_up == "all":
        chosen = list(due)
    elif catch_up == "one" or now - due[-1] <= ON_TIME:
        chosen = [due[-1]]
    else:
        chosen = []
    missed = tuple(due[: len(due) - len(chosen)])
    if len(chosen) > 1:
        # They are made up for one after another, whatever the overlap: all at once they would skip
        # or replace each other.
        fits = max(0, MOST - len(owed))
        late, taken = chosen[: len(chosen) - fits], chosen[len(chosen) - fits :]
        return Decision(due[-1], tuple(map(Owed, taken)), missed=(*missed, *late), more=more)
    if not chosen:
        return Decision(due[-1], missed=missed, more=more)
    return _one(Decision(due[-1], missed=missed, more=more), overlap, owed, busy)


def _one(so_far: Decision, overlap: Overlap, owed: Sequence[Owed], busy: bool) -> Decision:
    """The newest slot, beside what is owed or runs."""
    slot, until, missed, more = so_far.until, so_far.until, so_far.missed, so_far.more
    if overlap == "replace":
        drop = tuple(one.slot for one in owed)
        why = "a later slot has come"
        return Decision(until, (Owed(slot, True),), drop, drop, missed, more, why)
    if overlap == "skip" and (busy or owed):
        why = "the job before it is not over"
    elif len(owed) >= MOST:
        why = f"{MOST} slots wait already"
    else:
        return Decision(until, (Owed(slot),), missed=missed, more=more)
    return Decision(until, skipped=(slot,), missed=missed, more=more, why=why)
