"""``job.pause``: no further sheet starts, running ones finish."""

from __future__ import annotations

from typing import Any

from actors import Future
from marianne.daemon.call import Call
from marianne.daemon.manager_actor import ManagerActor
from marianne.daemon.selection import Selection, each

MUTATING = True
Params = Selection


def handle(call: Call, params: Selection) -> Future[Any]:
    """For each job that was meant: its id and status, or its error."""
    manager = call.context.manager.within(call.deadline)
    return each(call, params, lambda *job: manager.call(ManagerActor.pause_job, *job))
