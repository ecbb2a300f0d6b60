"""``job.pause``: no further sheet starts, running ones finish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.api.selection import Selection, each
from marianne.daemon.jobs.actor import ManagerActor

if TYPE_CHECKING:
    from marianne.replies.changes import Paused, Several

MUTATING = True
Params = Selection


def handle(call: Call, params: Selection) -> Future[Several[Paused]]:
    """For each job that was meant: its id and status, or its error."""
    manager = call.context.manager.within(call.deadline)
    return each(call, params, lambda *job: manager.call(ManagerActor.pause_job, *job))
