"""A job's ledger with rows as a test wants them, and what a step says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from job_play import plan_of

from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.effects import Step
from marianne.model.plan import Plan
from marianne.model.result import AttemptResult
from marianne.state.changes import AddAttempt, AddEvent, SaveSheet, UpdateJob
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus

CHAIN = {1: (), 2: (1,), 3: (2,)}
NOW = 100.0


def ledger_of(
    plan: Plan | Mapping[int, tuple[int, ...]],
    rows: Mapping[int, str] | Iterable[SheetRow] = (),
    status: JobStatus = JobStatus.RUNNING,
    **options: Any,
) -> Ledger:
    """The ledger of a job; ``rows`` are rows, or the statuses of sheets."""
    plan = plan if isinstance(plan, Plan) else plan_of(dict(plan))
    job = JobRow("job", "job", status, "/w", 0.0, len(plan.sheets), options=options)
    if isinstance(rows, Mapping):
        rows = [SheetRow(num, SheetStatus(name), attempt=1) for num, name in rows.items()]
    return Ledger(plan, job, {row.num: row for row in rows})


def with_sheet(plan: Plan, num: int, **fields: Any) -> Plan:
    """The plan with other fields of one sheet."""
    sheets = tuple(replace(s, **fields) if s.num == num else s for s in plan.sheets)
    return replace(plan, sheets=sheets)


def statuses(ledger: Ledger) -> list[str]:
    """Of all sheets, in order."""
    return [str(ledger.peek(sheet.num).status) for sheet in ledger.plan.sheets]


def saved(step: Step) -> list[tuple[int, str]]:
    """The rows that the step writes: sheet and status."""
    return [(c.row.num, str(c.row.status)) for c in step.changes if isinstance(c, SaveSheet)]


def events(step: Step) -> list[tuple[str, int | None]]:
    """The events of the step, each with its sheet."""
    return [(c.event, c.sheet_num) for c in step.changes if isinstance(c, AddEvent)]


def data(step: Step, event: str) -> Mapping[str, Any]:
    """What the step's one event of that name says."""
    (found,) = (c.data for c in step.changes if isinstance(c, AddEvent) and c.event == event)
    return found


def job_fields(step: Step) -> dict[str, Any]:
    """What the step writes into the job's row."""
    fields: dict[str, Any] = {}
    for change in step.changes:
        if isinstance(change, UpdateJob):
            fields |= change.fields
    return fields


def attempts(step: Step) -> list[AttemptResult]:
    """The attempts that the step records."""
    return [c.result for c in step.changes if isinstance(c, AddAttempt)]


def ended(num: int, outcome: str = "completed", attempt: int = 1, **fields: Any) -> AttemptResult:
    """A result of half a second, just now."""
    return AttemptResult(num, attempt, outcome, NOW - 0.5, NOW, **fields)
