"""``job.clear``: delete finished jobs and their history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.shared import edge
from marianne.state.models import JobStatus

if TYPE_CHECKING:
    from marianne.replies.changes import Cleared

MUTATING = True


class Params(edge.Params):
    """Which ones: by id, by final status, by age in seconds; nothing named is all finished."""

    ids: edge.Names | None = None
    statuses: Annotated[list[JobStatus] | None, Field(max_length=100)] = None
    older_than_seconds: edge.Seconds | None = None


def handle(call: Call, params: Params) -> Future[Cleared]:
    """How many were deleted, and which."""
    ids = [call.resolve(job) for job in params.ids] if params.ids else None
    manager = call.context.manager.within(call.deadline)
    older = params.older_than_seconds
    return manager.call(ManagerActor.clear_jobs, params.statuses, older, ids, call.request_id)
