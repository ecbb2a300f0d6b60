"""``job.wait``: answers when a job is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.shared import edge

if TYPE_CHECKING:
    from marianne.replies.job import Job

MUTATING = False


class Params(edge.Params):
    """The job to wait for."""

    job_id: edge.Name


def handle(call: Call, params: Params) -> Future[Job]:
    """The job without its sheets; ``deadline`` if it is not over by then: ask again."""
    manager = call.context.manager.within(call.deadline)
    return manager.call(ManagerActor.wait_job, call.resolve(params.job_id))
