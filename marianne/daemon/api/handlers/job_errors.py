"""``job.errors``: what failed in a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from marianne.daemon.api.request_context import Call
from marianne.daemon.shared import edge
from marianne.daemon.views import reports

if TYPE_CHECKING:
    from marianne.replies.reports import Errors

MUTATING = False


class Params(edge.Params):
    """At most ``limit`` attempts."""

    job_id: edge.Name
    limit: int = Field(50, ge=1, le=1_000)


def handle(call: Call, params: Params) -> Errors:
    """``errors``, newest first, ``total``, and ``skipped``."""
    return reports.errors(call.reader, call.resolve(params.job_id), params.limit)
