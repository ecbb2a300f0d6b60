"""``job.plan``: what of a job comes after what, by the entries of its score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marianne.daemon.api.request_context import Call
from marianne.daemon.api.shown import Shown
from marianne.daemon.shared import edge
from marianne.daemon.views import outline

if TYPE_CHECKING:
    from marianne.replies.job import JobPlan

MUTATING = False


class Params(Shown):
    """``sheets`` is a range (first, last), 1-based and inclusive, of those whose names are told:
    the first of them, as many as 4 MiB hold; none without it. ``newest`` as in ``job.status``."""

    sheets: tuple[edge.Sheet, edge.Sheet] | None = None


def handle(call: Call, params: Params) -> JobPlan:
    """The plan as it is on disk: it stays until the job's score is changed or a list has grown."""
    first, last = params.sheets or (1, 0)
    return outline.plan(call.reader, params.resolve(call), first, last)
