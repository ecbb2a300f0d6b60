"""``job.history``: the attempts of a job's sheets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from marianne.daemon.api.request_context import Call
from marianne.daemon.shared import edge
from marianne.daemon.views import reports

if TYPE_CHECKING:
    from marianne.replies.reports import History

MUTATING = False


class Params(edge.Params):
    """Of one ``sheet`` or of all; at most ``limit``."""

    job_id: edge.Name
    sheet: edge.Sheet | None = None
    limit: int = Field(50, ge=1, le=1_000)


def handle(call: Call, params: Params) -> History:
    """``records``, newest first, and ``has_history``."""
    job_id = call.resolve(params.job_id)
    return reports.history(call.reader, job_id, params.sheet, params.limit)
