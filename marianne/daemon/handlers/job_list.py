"""``job.list``: jobs at a glance, newest first."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from marianne.daemon import wire
from marianne.daemon.call import Call
from marianne.state.models import JobStatus
from marianne.state.reader import JobFilter

MUTATING = False


class Params(BaseModel):
    """Jobs that are not over, or ``all``, or those of some ``statuses``; ``cursor`` goes on."""

    all: bool = False
    statuses: list[JobStatus] | None = None
    limit: int = Field(50, ge=1, le=1_000)
    cursor: int | None = None


def handle(call: Call, params: Params) -> dict[str, Any]:
    """``jobs``, ``cursor`` (None at the end) and ``total``."""
    statuses = params.statuses
    if statuses is None and not params.all:
        statuses = [status for status in JobStatus if not status.terminal]
    only = JobFilter(frozenset(statuses) if statuses is not None else None)
    page = call.reader.jobs(only, limit=params.limit, cursor=params.cursor)
    counted = call.reader.statuses()
    return {
        "jobs": [wire.job_map(view.row, view.counts.progress()) for view in page.jobs],
        "cursor": page.cursor,
        "total": sum(counted.get(status, 0) for status in only.statuses or counted),
    }
