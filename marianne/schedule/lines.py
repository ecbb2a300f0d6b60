"""The parts of the queue: jobs, pools, and the lines of one job's sheets in one pool.

All sheets of a line share what changes while they wait (their job's fair-share penalty, its
limits, the pool's), so a line is a heap by what does not change, and a pool keeps a heap of lines
by their first sheet, one for each kind of line: whose slots they take, and the rank of what they
take beside those. Entries of both heaps are dropped lazily: the truth is ``Job.queued`` and
``Line.stamp``.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import field

from marianne.records import dataclass
from marianne.schedule.entries import (
    HERE,
    LEAST_CPUS,
    MOST_CPUS,
    NOTHING_SCARCE,
    Scarce,
    SheetEntry,
    SheetInfo,
)

# (priority with penalty and age, submitted_at, order of arrival, stamp, line)
Place = tuple[float, float, int, int, "Line"]

Kind = tuple[str, Scarce]
"""Whose slots the sheets of a line take, and the rank of what they take beside those."""


@dataclass(slots=True)
class Job:
    """One registered job. ``needs`` holds what is not satisfied yet, for sheets that wait for it;
    ``costs`` what those of ``holding`` take that take more or less than one slot, ``scarce`` what
    they take beside that, ``elsewhere`` whose slots those are that are not the conductor's own.
    ``lines`` are by pool and kind.

    A sheet that is in no collection but ``info`` has ended and was not judged yet.
    """

    job_id: str
    max_concurrent: int | None
    info: dict[int, SheetInfo]
    needs: dict[int, set[int]]
    dependents: dict[int, list[int]]
    waiting: set[int]
    lines: dict[tuple[str, Kind], Line] = field(default_factory=dict)
    queued: dict[int, SheetEntry] = field(default_factory=dict)
    holding: dict[int, Pool] = field(default_factory=dict)
    costs: dict[int, float] = field(default_factory=dict)
    scarce: dict[int, Scarce] = field(default_factory=dict)
    elsewhere: dict[int, str] = field(default_factory=dict)
    ahead: dict[int, Pool] = field(default_factory=dict)
    lends: int = 0
    registered: bool = True


@dataclass(slots=True, eq=False)
class Pool:
    """The sheets of one instrument and model, of all jobs. ``limit`` None means no limit;
    ``agent`` says that its sheets are asked of an agent: they have slots of their own, and count as
    calls of an API. ``blocks`` counts its rate limits."""

    name: str
    limit: int | None = None
    agent: bool = False
    running: int = 0
    blocked_until: float | None = None
    blocks: int = 0
    places: dict[Kind, list[Place]] = field(default_factory=dict)
    lines: set[Line] = field(default_factory=set)

    @property
    def full(self) -> bool:
        """Whether as many sheets run as may."""
        return self.limit is not None and self.running >= self.limit

    def cost(self, info: SheetInfo) -> float:
        """How many slots the sheet takes: one of an agent's, or the processors that it asks for."""
        return 1.0 if self.agent else min(max(LEAST_CPUS, info.cpus), MOST_CPUS)

    def firsts(self) -> Iterator[Place]:
        """Of each kind the most urgent line that its job may be granted from now."""
        for places in self.places.values():
            while places and places[0][3] != places[0][4].stamp:
                heapq.heappop(places)
            if places:
                yield places[0]

    def put(self, place: Place) -> None:
        """Adds a line's new place; the old one is void by its stamp."""
        places = self.places.setdefault(place[4].kind, [])
        heapq.heappush(places, place)
        # Void places deep in the heap are cleared when they outnumber what can be valid.
        if len(places) > 2 * len(self.lines) + 64:
            places[:] = [p for p in places if p[3] == p[4].stamp]
            heapq.heapify(places)


@dataclass(slots=True, eq=False)
class Line:
    """One job's ready sheets of one kind in one pool, most urgent first. ``since`` counts in
    grants."""

    job: Job
    pool: Pool
    kind: Kind = (HERE, NOTHING_SCARCE)
    stamp: int = 0
    since: int = 0
    size: int = 0
    sheets: list[tuple[float, float, int, SheetEntry]] = field(default_factory=list)

    def push(self, base: float, order: int, entry: SheetEntry) -> None:
        """Adds a sheet whose entry is in ``job.queued``."""
        heapq.heappush(self.sheets, (base, entry.submitted_at, order, entry))
        self.size += 1

    def first(self) -> tuple[float, float, int, SheetEntry] | None:
        """The most urgent sheet that is still queued."""
        sheets, queued = self.sheets, self.job.queued
        while sheets:
            entry = sheets[0][3]
            if queued.get(entry.info.sheet_num) is entry:
                return sheets[0]
            heapq.heappop(sheets)
        return None
