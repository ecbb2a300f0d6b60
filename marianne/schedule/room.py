"""Which waiting jobs are admitted now: places, memory, and who may go past whom. Pure.

Jobs are looked at in their order. One that is expected to need more memory than is free is held,
and others behind it may use what is left: but only ten of them. Then nothing goes past it any
more, so that it comes to its turn however small the others are. A job that is held runs at the
latest when no other job does, even if its estimate is above the whole limit: an estimate is advice
from the past, and refusing by it would never let a job run again that was once measured wrongly;
what it really uses is the monitor's to judge.
"""

from __future__ import annotations

from collections.abc import Iterable

from marianne.records import dataclass
from marianne.schedule.pressure import ResourceEstimate

MAX_OVERTAKEN = 10
"""Jobs that may be admitted past one that waits for memory."""

LOOK_AHEAD = 50
"""Held jobs past which nothing is looked at: bounds the cost of a decision."""

MIN_CONFIDENCE = 0.3
"""An estimate that is trusted less holds nobody back."""

ROOM_SHARE = 0.8
"""Share of the memory limit that may be expected to be used: over it no work is taken at all."""


@dataclass(slots=True)
class Candidate:
    """A job that waits. ``needs_mb`` is None when nothing is known; ``overtaken`` counts the jobs
    that came later and were admitted before it, and is counted on here."""

    job_id: str
    needs_mb: float | None = None
    overtaken: int = 0


@dataclass(frozen=True, slots=True)
class Room:
    """What there is: ``places`` for jobs, memory in MB, and how many jobs run."""

    places: int
    free_mb: float
    running: int


def needs(estimate: ResourceEstimate | None) -> float | None:
    """The memory in MB to keep for a job, None where nothing is known well enough."""
    if estimate is None or estimate.confidence < MIN_CONFIDENCE:
        return None
    return estimate.estimated_peak_memory_mb


def free_memory(used_mb: float, limit_mb: float, expected_mb: float) -> float:
    """MB that may still be given away; ``expected_mb`` is what running jobs will use beyond what
    they use now. Negative when it is too much already."""
    return limit_mb * ROOM_SHARE - used_mb - expected_mb


def admit(waiting: Iterable[Candidate], room: Room) -> tuple[list[Candidate], list[Candidate]]:
    """The jobs to admit now, in their order, and those that are held for want of memory."""
    admitted: list[Candidate] = []
    held: list[Candidate] = []
    free = room.free_mb
    for one in waiting:
        blocked = any(other.overtaken >= MAX_OVERTAKEN for other in held)
        if len(admitted) >= room.places or blocked or len(held) >= LOOK_AHEAD:
            break
        alone = room.running == 0 and not admitted
        if one.needs_mb is None or one.needs_mb <= free or alone:
            admitted.append(one)
            free -= one.needs_mb or 0.0
            for other in held:
                other.overtaken += 1
        else:
            held.append(one)
    return admitted, held
