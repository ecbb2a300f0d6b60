"""``job.pause``: no further sheet starts, running ones finish; with ``now`` they stand still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.api.selection import Selection, each
from marianne.daemon.jobs.actor import ManagerActor

if TYPE_CHECKING:
    from marianne.replies.changes import Paused, Several

MUTATING = True


class Params(Selection):
    """``now`` has running sheets stand still where they stand, until the job is resumed; else they
    finish."""

    now: bool = False


def handle(call: Call, params: Params) -> Future[Several[Paused]]:
    """For each job that was meant: its id and status, or its error."""
    manager = call.context.manager.within(call.deadline)

    def ask(job_id: str, request_id: str) -> Future[Any]:
        asked: Future[Any] = manager.call(ManagerActor.pause_job, job_id, request_id, params.now)
        return asked

    return each(call, params, ask)
