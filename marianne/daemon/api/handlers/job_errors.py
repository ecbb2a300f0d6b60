"""``job.errors``: what failed in a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from marianne.daemon.api.request_context import Call
from marianne.daemon.api.shown import Shown
from marianne.daemon.views import reports

if TYPE_CHECKING:
    from marianne.replies.reports import Errors

MUTATING = False


class Params(Shown):
    """At most ``limit`` attempts. ``newest`` as in ``job.status``."""

    limit: int = Field(50, ge=1, le=1_000)


def handle(call: Call, params: Params) -> Errors:
    """``errors``, newest first, ``total``, and ``skipped``."""
    return reports.errors(call.reader, params.resolve(call), params.limit)
