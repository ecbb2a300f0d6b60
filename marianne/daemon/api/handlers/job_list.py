"""``job.list``: jobs at a glance, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from marianne.daemon.api.request_context import Call
from marianne.daemon.shared import edge
from marianne.daemon.views import queries
from marianne.state.models import JobStatus

if TYPE_CHECKING:
    from marianne.replies.job import JobPage

MUTATING = False


class Params(edge.Params):
    """Jobs that are not over, or ``all``, or those of some ``statuses``; ``cursor`` goes on."""

    all: bool = False
    statuses: Annotated[list[JobStatus] | None, Field(max_length=100)] = None
    limit: int = Field(50, ge=1, le=1_000)
    cursor: edge.Row | None = None


def handle(call: Call, params: Params) -> JobPage:
    """``jobs``, ``cursor`` (None at the end) and ``total``, as committed."""
    statuses = params.statuses
    if statuses is None and not params.all:
        statuses = [status for status in JobStatus if not status.terminal]
    return queries.page(call.reader, statuses, params.limit, params.cursor)
