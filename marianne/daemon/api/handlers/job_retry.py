"""``job.retry``: run failed sheets of a finished job again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.shared import edge

if TYPE_CHECKING:
    from marianne.replies.changes import Retried

MUTATING = True


class Params(edge.Params):
    """``sheets`` None: every sheet that did not complete."""

    job_id: edge.Name
    sheets: Annotated[edge.Sheets, Field(min_length=1)] | None = None


def handle(call: Call, params: Params) -> Future[Retried]:
    """The job's id and status."""
    manager = call.context.manager.within(call.deadline)
    job_id = call.resolve(params.job_id)
    return manager.call(ManagerActor.retry_job, job_id, params.sheets, call.request_id)
