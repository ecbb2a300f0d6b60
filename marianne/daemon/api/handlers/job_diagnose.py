"""``job.diagnose``: why a job is not done."""

from __future__ import annotations

from typing import Any

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.shared import edge

MUTATING = False


class Params(edge.Params):
    """The job."""

    job_id: edge.Name


def handle(call: Call, params: Params) -> Future[Any]:
    """The report of docs/protocol.md."""
    manager = call.context.manager.within(call.deadline)
    job_id = call.resolve(params.job_id)
    return manager.call(ManagerActor.get_diagnostic_report, job_id)
