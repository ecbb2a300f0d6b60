"""``schedule.remove``: a schedule is forgotten; its jobs stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.schedules.actor import SchedulesActor
from marianne.daemon.shared.edge import Named

if TYPE_CHECKING:
    from marianne.replies.schedules import ScheduleChanged

MUTATING = True
Params = Named


def handle(call: Call, params: Named) -> Future[ScheduleChanged]:
    """Its name, once that is on disk."""
    schedules = call.context.schedules.within(call.deadline)
    return schedules.call(SchedulesActor.remove, params.name, call.request_id)
