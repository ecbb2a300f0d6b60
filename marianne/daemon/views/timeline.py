"""When the attempts of a job ran, and what they used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marianne.state.reader import Reader

if TYPE_CHECKING:
    from marianne.replies.reports import Timeline

PAGE = 5_000
LETTERS = {"completed": b"c", "failed": b"f", "skipped": b"s"}
INTERRUPTED = b"i"


def timeline(
    reader: Reader, job_id: str, after: tuple[int, int] | None, ended_since: float, limit: int
) -> Timeline:
    """A page of those that have ended; with the first page also what runs."""
    total = reader.spans.total(job_id)  # first: of fewer than these, something is missing
    found = reader.spans.page(job_id, after or (0, 0), ended_since, limit)
    running = reader.spans.running(job_id) if after is None else []
    full = len(found) == limit
    return {
        "job_id": job_id,
        "total": total,
        "cursor": [found[-1].num, found[-1].attempt] if full else None,
        "sheets": [one.num for one in found],
        "attempts": [one.attempt for one in found],
        "outcomes": b"".join(LETTERS.get(one.outcome, INTERRUPTED) for one in found),
        "began": [one.started_at for one in found],
        "ended": [one.finished_at for one in found],
        "memory_mb": [one.peak_memory_mb for one in found],
        "cost_usd": [one.cost_usd for one in found],
        "running": [num for num, _ in running],
        "running_since": [began for _, began in running],
    }
