"""Reading when attempts ran, and what they used: little of each, for there are many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from marianne.records import dataclass
from marianne.state import rows
from marianne.state.connection import Rows

RUNNING_MOST = 1_000


@dataclass(frozen=True, slots=True)
class Span:
    """An attempt that has ended. Times are seconds since the epoch; memory is in MB."""

    num: int
    attempt: int
    outcome: str
    started_at: float
    finished_at: float
    peak_memory_mb: float
    cost_usd: float


class AttemptSpans:
    """The attempts of a database as spans of time: those of a Reader's connection. Jobs are named
    by their ids; one that is none has nothing."""

    def __init__(self, found_in: Rows) -> None:
        self._rows = found_in

    def total(self, job_id: str) -> int:
        """How many attempts of the job have ended."""
        found = self._rows.one(
            "SELECT count(*) FROM attempts WHERE job = (SELECT key FROM ids WHERE job_id = ?)",
            job_id,
        )
        return int(found[0]) if found else 0

    def page(
        self, job_id: str, after: tuple[int, int], ended_since: float, limit: int
    ) -> list[Span]:
        """Those that ended since then, after a pair of sheet and attempt, in their order."""
        found = self._rows.all(
            "SELECT num, attempt, outcome, started_at, finished_at, more FROM attempts "
            "WHERE job = (SELECT key FROM ids WHERE job_id = ?) AND (num, attempt) > (?, ?) "
            "AND finished_at >= ? ORDER BY num, attempt LIMIT ?",
            job_id,
            *after,
            ended_since,
            limit,
        )
        return [_span(row) for row in found]

    def running(self, job_id: str) -> list[tuple[int, float]]:
        """The sheets that run, each with when it began; the first RUNNING_MOST of them."""
        found = self._rows.all(
            "SELECT num, started_at FROM sheets "
            "WHERE job = (SELECT key FROM ids WHERE job_id = ?) AND status = 'running' LIMIT ?",
            job_id,
            RUNNING_MOST,
        )
        return [(num, began) for num, began in found]


def _span(row: Sequence[Any]) -> Span:
    num, attempt, outcome, started_at, finished_at, packed = row
    more = rows.unpack(packed)
    memory, cost = more.get("peak_memory_mb", 0.0), more.get("usage", {}).get("cost_usd")
    return Span(num, attempt, outcome, started_at, finished_at, memory, float(cost or 0.0))
