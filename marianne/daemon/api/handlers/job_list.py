"""``job.list``: jobs at a glance, newest first."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.shared import edge
from marianne.state.models import JobStatus

MUTATING = False


class Params(edge.Params):
    """Jobs that are not over, or ``all``, or those of some ``statuses``; ``cursor`` goes on."""

    all: bool = False
    statuses: Annotated[list[JobStatus] | None, Field(max_length=100)] = None
    limit: int = Field(50, ge=1, le=1_000)
    cursor: edge.Row | None = None


def handle(call: Call, params: Params) -> Future[dict[str, Any]]:
    """``jobs``, ``cursor`` (None at the end) and ``total``."""
    statuses = params.statuses
    if statuses is None and not params.all:
        statuses = [status for status in JobStatus if not status.terminal]
    manager = call.context.manager.within(call.deadline)
    return manager.call(ManagerActor.list_jobs, statuses, params.limit, params.cursor)
