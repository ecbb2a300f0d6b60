"""``job.history``: the attempts of a job's sheets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from marianne.daemon.api.request_context import Call
from marianne.daemon.api.shown import Shown
from marianne.daemon.shared import edge
from marianne.daemon.views import reports

if TYPE_CHECKING:
    from marianne.replies.reports import History

MUTATING = False


class Params(Shown):
    """Of one ``sheet`` or of all; at most ``limit``. ``newest`` as in ``job.status``."""

    sheet: edge.Sheet | None = None
    limit: int = Field(50, ge=1, le=1_000)


def handle(call: Call, params: Params) -> History:
    """``records``, newest first, and ``has_history``."""
    job_id = params.resolve(call)
    return reports.history(call.reader, job_id, params.sheet, params.limit)
