"""``schedule.list``: all schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.schedules.actor import SchedulesActor

if TYPE_CHECKING:
    from marianne.replies.schedules import Schedules

MUTATING = False
Params = None


def handle(call: Call, params: None) -> Future[Schedules]:
    """Each with its next slot, its last one, and the job of that."""
    schedules = call.context.schedules.within(call.deadline)
    return schedules.call(SchedulesActor.schedules)
