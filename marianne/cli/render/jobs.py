"""A list of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from marianne.cli.render.job import progress_text, reason_text, status_cell
from marianne.cli.render.table import Cell, print_table
from marianne.cli.render.values import ago, at_work, duration

if TYPE_CHECKING:
    from marianne.replies.job import Job


def print_jobs(jobs: Sequence[Job], now: float | None = None) -> None:
    """A row a job."""
    rows = [
        (
            Cell(job["job_id"], ("bold",)),
            status_cell(job["status"], reason_text(job)),
            progress_text(job.get("progress") or {}),
            duration(at_work(job, now)),
            ago(job.get("submitted_at"), now),
            "" if job.get("priority") in (5, None) else job["priority"],
            " ".join(str(job.get("error") or "").split()),
        )
        for job in jobs
    ]
    print_table(
        ("JOB", "STATUS", "SHEETS", "TIME", "SUBMITTED", "PRIORITY", "ERROR"),
        rows,
        right=(3,),
        names=(0,),
        spare=(5, 4, 3),
    )
