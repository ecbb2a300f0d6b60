"""``job.explain``: why a job or a sheet does not run now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.api.shown import Shown
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.shared import edge

if TYPE_CHECKING:
    from marianne.replies.reports import Explained

MUTATING = False


class Params(Shown):
    """``sheet`` None: every sheet that neither runs nor is over. ``newest``: see ``job.status``."""

    sheet: edge.Sheet | None = None


def handle(call: Call, params: Params) -> Future[Explained]:
    """The reasons as data (``code``, ``data``) and in words (``text``)."""
    manager = call.context.manager.within(call.deadline)
    return manager.call(ManagerActor.explain_job, params.resolve(call), params.sheet)
