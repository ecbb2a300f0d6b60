"""``job.errors``: what failed in a job."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.shared import edge

MUTATING = False


class Params(edge.Params):
    """At most ``limit`` attempts."""

    job_id: edge.Name
    limit: int = Field(50, ge=1, le=1_000)


def handle(call: Call, params: Params) -> Future[Any]:
    """``errors``, newest first, ``total``, and ``skipped``."""
    manager = call.context.manager.within(call.deadline)
    job_id = call.resolve(params.job_id)
    return manager.call(ManagerActor.get_job_errors, job_id, params.limit)
