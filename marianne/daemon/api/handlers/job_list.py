"""``job.list``: jobs at a glance, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from marianne.daemon.api.request_context import Call
from marianne.daemon.shared import edge
from marianne.daemon.views import queries
from marianne.state.models import JobStatus
from marianne.state.reader import JobFilter

if TYPE_CHECKING:
    from marianne.replies.job import JobPage

MUTATING = False


class Params(edge.Params):
    """Jobs that are not over, or ``all``, or those of some ``statuses``; of them those whose score
    has this name (``score``) or this file (``config_path``, absolute). ``cursor`` goes on."""

    all: bool = False
    score: edge.Name | None = None
    config_path: edge.ClientPath | None = None
    statuses: Annotated[list[JobStatus] | None, Field(max_length=100)] = None
    limit: int = Field(50, ge=1, le=1_000)
    cursor: edge.Row | None = None


def handle(call: Call, params: Params) -> JobPage:
    """``jobs``, ``cursor`` (None at the end) and ``total``, as committed."""
    statuses = params.statuses
    if statuses is None and not params.all:
        statuses = [status for status in JobStatus if not status.terminal]
    path = params.config_path
    only = JobFilter(
        None if statuses is None else frozenset(statuses),
        name=params.score,
        config_path=None if path is None else str(path),
    )
    return queries.page(call.reader, only, params.limit, params.cursor)
