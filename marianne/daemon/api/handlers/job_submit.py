"""``job.submit``: a score becomes a job."""

from __future__ import annotations

from typing import Any

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.types import JobRequest

MUTATING = True
QUICK = True
Params = JobRequest


def handle(call: Call, params: JobRequest) -> Future[Any]:
    """A JobResponse, once the job is on disk."""
    manager = call.context.manager.within(call.deadline)
    return manager.call(ManagerActor.submit_job, params, call.request_id)
