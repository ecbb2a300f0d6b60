"""``job.output``: a piece of what a sheet printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from marianne.daemon.api.request_context import Call
from marianne.daemon.shared import edge
from marianne.daemon.views import queries

if TYPE_CHECKING:
    from marianne.replies.reports import Output

MUTATING = False


class Params(edge.Params):
    """``offset`` and ``limit`` are bytes; ``sheet`` None is the last one that has output,
    with ``follow`` also one that runs: it may yet have some. ``plain`` gives the bytes of the
    file; else what bash says of a script names the lines of the score.
    """

    job_id: edge.Name
    sheet: edge.Sheet | None = None
    attempt: edge.Attempt | None = None
    stream: Literal["out", "err", "prompt"] = "out"
    offset: edge.Row = 0
    limit: int = Field(queries.OUTPUT_LIMIT, ge=1, le=edge.INT32)
    follow: bool = False
    plain: bool = False


def handle(call: Call, params: Params) -> Output:
    """Bytes, the offset after them, the size now, and whether more can still come."""
    job_id = call.resolve(params.job_id)
    return queries.output(
        call.reader,
        call.context.home.job_dir(job_id),
        job_id,
        params.sheet,
        params.attempt,
        params.stream,
        params.offset,
        params.limit,
        params.follow,
        params.plain,
    )
