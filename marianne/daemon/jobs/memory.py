"""How much memory the waiting jobs are expected to need, and how much is free for them.

The rule is pure (:mod:`marianne.schedule.room`); this reads what it is about: the last reading of
the monitor, and what was learned of jobs of the same configuration.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from typing import TYPE_CHECKING

from marianne.daemon.at_once import at_once
from marianne.records import dataclass
from marianne.schedule.room import ROOM_SHARE, Candidate, Room, free_memory, needs

if TYPE_CHECKING:
    from marianne.daemon.context import Context
    from marianne.replies.reports import Reason
    from marianne.schedule.pressure import ResourceEstimate
    from marianne.state.models import JobRow

REASON = "estimate"
"""Why a job is ``pending`` that is expected to need more memory than is free."""


@dataclass(slots=True)
class Size:
    """What a job of a configuration is expected to need, and how often it was overtaken."""

    candidate: Candidate = field(default_factory=lambda: Candidate(""))
    config_hash: str = ""
    estimate: ResourceEstimate | None = None


class MemoryRoom:
    """Sizes of jobs and the room for them. Part of the job manager, for its thread."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def size(self, row: JobRow, size: Size) -> Candidate:
        """Brings a job's size up to date; an estimate that is there is kept while it waits."""
        if size.estimate is None or size.config_hash != row.config_hash:
            ask = self._context.backpressure.estimate_job_resource_needs
            size.config_hash, size.estimate = row.config_hash, at_once(ask(row.config_hash))
            size.candidate.job_id = row.job_id
        size.candidate.needs_mb = needs(size.estimate)
        return size.candidate

    def room(self, places: int, running: Iterable[tuple[JobRow, Size]]) -> Room:
        """The room beside the jobs that run."""
        resources, jobs = self._context.resources, list(running)
        expected = sum(
            max(0.0, (self.size(row, size).needs_mb or 0.0) - resources.by_job.get(row.job_id, 0.0))
            for row, size in jobs
        )
        used = resources.current_memory_mb() or 0.0
        return Room(places, free_memory(used, resources.max_memory_mb, expected), len(jobs))

    def why(self, row: JobRow, size: Size, room: Room) -> Reason:
        """Why a job is held, for people and programs; ``data`` is in MB."""
        candidate, limit = self.size(row, size), self._context.resources.max_memory_mb
        if candidate.needs_mb is None or size.estimate is None:
            return {"code": "pending", "text": "it waits for room", "data": {}}
        free = max(0.0, room.free_mb)
        text = (
            f"it is expected to need {candidate.needs_mb:.0f} MB of memory, as it did before;"
            f" {ROOM_SHARE:.0%} of the limit of {limit} MB leave {free:.0f} MB beside what runs. It"
            " starts when there is room, at the latest when no other job runs"
        )
        data = {
            "needs_mb": round(candidate.needs_mb, 1),
            "free_mb": round(free, 1),
            "limit_mb": limit,
            "confidence": size.estimate.confidence,
            "running": room.running,
            "overtaken": candidate.overtaken,
        }
        return {"code": "pending", "text": text, "data": data}
