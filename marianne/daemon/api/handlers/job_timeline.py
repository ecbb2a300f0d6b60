"""``job.timeline``: when the attempts of a job ran, and what they used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from marianne.daemon.api.request_context import Call
from marianne.daemon.api.shown import Shown
from marianne.daemon.shared import edge
from marianne.daemon.views import timeline

if TYPE_CHECKING:
    from marianne.replies.reports import Timeline

MUTATING = False


class Params(Shown):
    """At most ``limit`` of those that ended at ``ended_since`` (seconds since the epoch) or later,
    in the order of sheets and attempts; ``after`` goes on. ``newest`` as in ``job.status``."""

    after: tuple[edge.Sheet, edge.Sheet] | None = None
    ended_since: float = Field(0.0, ge=0.0)
    limit: int = Field(timeline.PAGE, ge=1, le=timeline.PAGE)


def handle(call: Call, params: Params) -> Timeline:
    """Little of each attempt, a list a figure."""
    job_id = params.resolve(call)
    return timeline.timeline(call.reader, job_id, params.after, params.ended_since, params.limit)
