"""``job.submit``: a score becomes a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.types import JobRequest

if TYPE_CHECKING:
    from marianne.replies.changes import Submitted

MUTATING = True
QUICK = True
Params = JobRequest


def handle(call: Call, params: JobRequest) -> Future[Submitted]:
    """A JobResponse, once the job is on disk."""
    manager = call.context.manager.within(call.deadline)
    return manager.call(ManagerActor.submit_job, params, call.request_id)
