"""How many pilots there are to be, and which are given back. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import field

from marianne.records import dataclass

RUNNING = "RUNNING"
WAITING = frozenset({"PENDING", "CONFIGURING", "REQUEUED"})
"""States of a pilot that has no node yet."""

LIVES = WAITING | {RUNNING, "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT"}
"""States of one that Slurm has not ended."""

DRAIN_SHARE, DRAIN_MOST = 0.1, 600.0
"""From when on a pilot is given nothing: its last tenth, at most its last ten minutes."""

_LEFT = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)")


@dataclass(frozen=True, slots=True)
class Pilot:
    """One batch job as Slurm has it. ``left`` are seconds until its time limit, ``reason`` is why
    it waits, ``begins`` when it has begun, or may begin, in Slurm's words."""

    number: str
    state: str
    host: str = ""
    left: float = math.inf
    reason: str = ""
    name: str = ""
    begins: str = ""

    @property
    def node(self) -> str:
        """Its name as a node: no other pilot ever has it."""
        return f"{self.host}-{self.number}"


@dataclass(frozen=True, slots=True)
class Need:
    """What the conductor says. ``waiting`` are sheets that only want a slot; ``busy`` are the nodes
    that have something to do, ``resting`` those that have nothing and will get nothing."""

    waiting: int = 0
    busy: frozenset[str] = frozenset()
    resting: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Size:
    """``most`` pilots at one time, each for so many sheets and so many seconds; one that has had
    nothing to do for ``idle`` seconds is given back."""

    most: int
    slots: int
    seconds: float
    idle: float


@dataclass
class Decision:
    """``submit`` more pilots, ``cancel`` these (numbers); ``closed`` says of nodes why they are
    given nothing more."""

    submit: int = 0
    cancel: list[str] = field(default_factory=list)
    closed: dict[str, str] = field(default_factory=dict)


def decide(
    pilots: Iterable[Pilot],
    need: Need,
    size: Size,
    idle_since: Mapping[str, float],
    now: float,
    silent: Collection[str] = (),
    coming: Collection[str] = (),
) -> Decision:
    """What is to be done now. ``idle_since`` says since when nodes have had nothing to do,
    ``silent`` are those that are not reached and have ended all by now, ``coming`` those that were
    never reached yet."""
    found = Decision()
    running = [pilot for pilot in pilots if pilot.state == RUNNING]
    waiting = [pilot for pilot in pilots if pilot.state in WAITING]
    for pilot in running:
        if pilot.node in silent:
            # Slurm may not know that its warden is gone, as long as another step of it runs.
            found.closed[pilot.node] = "its warden is not reached"
            found.cancel.append(pilot.number)
            continue
        if pilot.left < min(DRAIN_MOST, DRAIN_SHARE * size.seconds):
            found.closed[pilot.node] = "its time limit is near"
        elif not need.waiting and _idle(pilot.node, size, idle_since, now):
            found.closed[pilot.node] = "it had nothing to do, and is given back"
        if pilot.node in found.closed and pilot.node in need.resting:
            found.cancel.append(pilot.number)
    wanted = math.ceil(need.waiting / size.slots)
    open_ = [pilot.node for pilot in running if pilot.node not in found.closed]
    room = len(waiting) + sum(node in coming for node in open_)
    found.submit = max(0, min(wanted - room, size.most - len(open_) - len(waiting)))
    # The latest wait longest.
    surplus = len(waiting) - min(wanted, size.most)
    if surplus > 0:
        found.cancel += [pilot.number for pilot in waiting[-surplus:]]
    return found


def _idle(node: str, size: Size, idle_since: Mapping[str, float], now: float) -> bool:
    since = idle_since.get(node)
    return since is not None and now - since >= size.idle


def note_idle(
    idle_since: dict[str, float], nodes: Collection[str], busy: Collection[str], now: float
) -> None:
    """Notes which of the nodes have nothing to do."""
    for node in [node for node in idle_since if node not in nodes or node in busy]:
        del idle_since[node]
    for node in nodes:
        if node not in busy:
            idle_since.setdefault(node, now)


def seconds_left(text: str) -> float:
    """Slurm's ``[days-][hours:]minutes:seconds``; infinite for a word (UNLIMITED, NOT_SET)."""
    found = _LEFT.fullmatch(text.strip())
    if found is None:
        return math.inf
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def in_minutes(seconds: float) -> str:
    """A time limit as Slurm takes it: whole minutes, at least one."""
    return str(max(1, math.ceil(seconds / 60)))
