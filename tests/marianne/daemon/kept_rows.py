"""What the tables of a job make of a change, and refuse, without a database."""

from __future__ import annotations

from copy import deepcopy

from marianne.state.changes import SaveSheet, UpdateJob
from marianne.state.models import JobRow, SheetRow
from marianne.state.transitions import check


def keep(change: object, rows: dict[int, SheetRow], job: JobRow) -> None:
    """Of a sheet's row or the job's; raises IllegalTransition. Other changes are not looked at."""
    match change:
        case SaveSheet(_, row, asked):
            before = rows.get(row.num, SheetRow(row.num))
            check(before.status, row.status, asked=asked)
            rows[row.num] = deepcopy(row)
        case UpdateJob(_, fields, asked):
            check(job.status, fields.get("status", job.status), asked=asked)
            for name, value in fields.items():
                setattr(job, name, value)
