"""How pressed the conductor is, and what follows: levels, delays, admission.

A limit is passed when a value is *over* it, never when it is equal. What cannot be measured counts
as the worst: a blind conductor takes no risks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from marianne.records import dataclass


class PressureLevel(StrEnum):
    """Graduated levels of load; each has its delay between two grants."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def delay(self) -> float:
        """Seconds from one grant to the next."""
        return DELAYS[self]


DELAYS: Mapping[PressureLevel, float] = MappingProxyType(
    {
        PressureLevel.NONE: 0.0,
        PressureLevel.LOW: 2.0,
        PressureLevel.MEDIUM: 10.0,
        PressureLevel.HIGH: 30.0,
        PressureLevel.CRITICAL: 60.0,
    }
)

# Share of the memory limit over which a level begins, worst first.
THRESHOLDS: tuple[tuple[float, PressureLevel], ...] = (
    (0.95, PressureLevel.CRITICAL),
    (0.85, PressureLevel.HIGH),
    (0.70, PressureLevel.MEDIUM),
    (0.50, PressureLevel.LOW),
)
ADMISSION_LIMIT = 0.85
"""Share of the memory limit over which no new job is taken."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a judgement is made of, read once, so that all of it is of one moment.

    ``memory_mb`` is None when it could not be read. ``accepting`` is whether memory and processes
    are within what the monitor allows; ``degraded`` is a monitor that keeps failing.
    """

    memory_mb: float | None
    max_memory_mb: int
    accepting: bool
    degraded: bool = False

    @property
    def share(self) -> float | None:
        """Memory in use as a share of its limit; None when it is not known."""
        memory = self.memory_mb
        if self.degraded or memory is None or math.isnan(memory):
            return None
        return memory / max(self.max_memory_mb, 1)


@dataclass(frozen=True, slots=True)
class ResourceEstimate:
    """What a job like one that ran before will use. ``confidence`` is from 0 to 1."""

    estimated_peak_memory_mb: float
    estimated_cpu_seconds: float
    confidence: float


def level_of(load: Load) -> PressureLevel:
    """The level that memory and processes alone explain."""
    share = load.share
    if share is None or not load.accepting:
        return PressureLevel.CRITICAL
    for limit, level in THRESHOLDS:
        if share > limit:
            return level
    return PressureLevel.NONE


def with_rate_limits(level: PressureLevel, limited: bool) -> PressureLevel:
    """The level that people are told: at least HIGH while any instrument is rate limited."""
    worst = level in (PressureLevel.HIGH, PressureLevel.CRITICAL)
    return PressureLevel.HIGH if limited and not worst else level


def may_start_sheet(level: PressureLevel) -> tuple[bool, float]:
    """Whether a sheet may start, and how many seconds later the next one may."""
    return level is not PressureLevel.CRITICAL, level.delay


def takes_jobs(load: Load) -> bool:
    """Whether a new job may be taken. Rate limits never matter: others can work."""
    share = load.share
    return share is not None and share <= ADMISSION_LIMIT and load.accepting
