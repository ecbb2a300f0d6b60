"""``job.map``: a job, and one letter for how each of its sheets stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.api.shown import Shown
from marianne.daemon.jobs.actor import ManagerActor

if TYPE_CHECKING:
    from marianne.replies.job import SheetMap

MUTATING = False


class Params(Shown):
    """The job; ``newest`` as in ``job.status``."""


def handle(call: Call, params: Params) -> Future[SheetMap]:
    """What is cheap to ask for again and again, however many sheets there are."""
    manager = call.context.manager.within(call.deadline)
    return manager.call(ManagerActor.map_job, params.resolve(call))
