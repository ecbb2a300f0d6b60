"""``job.recover``: failed sheets whose work is there after all become completed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.shared import edge

if TYPE_CHECKING:
    from marianne.replies.changes import Recovered

MUTATING = True


class Params(edge.Params):
    """``sheet`` None: every failed one. ``dry_run`` looks and changes nothing."""

    job_id: edge.Name
    sheet: edge.Sheet | None = None
    dry_run: bool = False


def handle(call: Call, params: Params) -> Future[Recovered]:
    """What was found of each sheet, which were recovered, and the job's status."""
    manager = call.context.manager.within(call.deadline)
    job_id = call.resolve(params.job_id)
    return manager.call(
        ManagerActor.recover_job, job_id, params.sheet, params.dry_run, call.request_id
    )
