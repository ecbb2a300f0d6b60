"""``schedule.run_now``: a schedule's job is made now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.schedules.actor import SchedulesActor
from marianne.daemon.shared.edge import Named

if TYPE_CHECKING:
    from marianne.replies.changes import Submitted

MUTATING = True
Params = Named


def handle(call: Call, params: Named) -> Future[Submitted]:
    """As ``job.submit`` answers, once the job is on disk."""
    schedules = call.context.schedules.within(call.deadline)
    return schedules.call(SchedulesActor.run_now, params.name, call.request_id)
