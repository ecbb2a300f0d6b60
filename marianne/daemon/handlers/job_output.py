"""``job.output``: a piece of what a sheet printed."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from marianne.daemon import queries
from marianne.daemon.call import Call

MUTATING = False


class Params(BaseModel):
    """``offset`` and ``limit`` are bytes; ``sheet`` None is the last one that has output,
    with ``follow`` also one that runs: it may yet have some.
    """

    job_id: str
    sheet: int | None = None
    attempt: int | None = Field(None, ge=1)
    stream: Literal["out", "err", "prompt"] = "out"
    offset: int = Field(0, ge=0)
    limit: int = Field(queries.OUTPUT_LIMIT, ge=1)
    follow: bool = False


def handle(call: Call, params: Params) -> dict[str, Any]:
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
    )
