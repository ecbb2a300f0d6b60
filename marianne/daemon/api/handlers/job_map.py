"""``job.map``: a job, and one letter for how each of its sheets stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import Future, NoSuchActor
from marianne.daemon.api.request_context import Call
from marianne.daemon.api.shown import Shown
from marianne.daemon.job.actor import Job
from marianne.daemon.views import queries

if TYPE_CHECKING:
    from marianne.replies.job import SheetMap

MUTATING = False


class Params(Shown):
    """The job; ``newest`` as in ``job.status``."""


def handle(call: Call, params: Params) -> SheetMap | Future[SheetMap]:
    """What is cheap to ask for again and again, however many sheets there are."""
    job_id = params.resolve(call)
    asked = call.context.job(job_id).within(call.deadline).call(Job.map)
    if asked.done and isinstance(asked.outcome().error, NoSuchActor):  # it is at rest, or restarts
        return queries.sheet_map(call.reader, job_id)
    return asked
