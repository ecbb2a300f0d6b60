"""``events.since``: the durable log, for a tail that starts late or noticed a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from marianne.daemon.api.request_context import Call
from marianne.daemon.shared import edge
from marianne.daemon.views import wire

if TYPE_CHECKING:
    from marianne.replies.conductor import EventPage

MUTATING = False


class Params(edge.Params):
    """Events with a number above ``seq``; of one job when ``job_id`` is given."""

    seq: edge.Row = 0
    job_id: edge.Name | None = None
    limit: int = Field(1_000, ge=1, le=1_000)


def handle(call: Call, params: Params) -> EventPage:
    """The events in order, the number of the newest one, and of the oldest one still kept."""
    job_id = params.job_id or None
    # Events outlive their job: who follows one that was deleted meanwhile has its end to hear.
    if job_id is not None and not call.reader.taken(job_id):
        job_id = call.resolve(job_id)
    events = call.reader.events.since(params.seq, job_id=job_id, limit=params.limit)
    oldest = call.reader.events.since(0, limit=1)
    return {
        "events": [wire.event_map(event) for event in events],
        "first": oldest[0].seq if oldest else 0,
        "last": call.reader.events.last_seq(),
    }
