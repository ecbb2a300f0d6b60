"""``job.status``: a job and its sheets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.api.shown import Shown
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.shared import edge
from marianne.daemon.shared.status_cache import Packed

if TYPE_CHECKING:
    from marianne.replies.job import Status

MUTATING = False
QUICK = True
PAGE = 5_000


class Params(Shown):
    """``sheets`` is a range (first, last), 1-based and inclusive; at most 5,000 at a time. With
    ``newest`` the name of a score means its newest job."""

    sheets: tuple[edge.Sheet, edge.Sheet] | None = None


def handle(call: Call, params: Params) -> Packed | Future[Status]:
    """The status map of docs/protocol.md: as it was last told, if nothing has changed since."""
    first, last = params.sheets or (1, PAGE)
    last = min(last, first + PAGE - 1)
    job = params.named(call)
    told = call.context.status_cache.find(job, first, last)
    if told is not None:
        return told
    manager = call.context.manager.within(call.deadline)
    job_id = call.resolve(job)
    return manager.call(ManagerActor.get_job_status, job_id, first, last, packed=True)
