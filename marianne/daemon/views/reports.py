"""What is read of a job's past, for a person: its errors, its history, a diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from marianne.daemon.jobmeta import JobMeta
from marianne.daemon.shared.refusal import Refused, not_found
from marianne.daemon.views import queries
from marianne.daemon.views.diagnosis import likely_cause
from marianne.daemon.views.script_names import readable
from marianne.daemon.views.wire import sheet_map, timestamp
from marianne.learning.hub import LearningHub
from marianne.model.plan import Plan
from marianne.model.result import AttemptResult
from marianne.run.outputs import tail
from marianne.score.redact import redact
from marianne.state.models import JobRow, OutcomeRow, SheetStatus
from marianne.state.reader import Reader

if TYPE_CHECKING:
    from marianne.replies.reports import (
        Attempt,
        Diagnosis,
        Errors,
        History,
        Meta,
        Outcome,
        PartEvent,
        Resources,
        Skipped,
        TroubledSheet,
    )

HISTORY_LIMIT = 50
TROUBLED_SHEETS = 20
"""Sheets that a diagnosis shows in full, at most."""

ATTEMPTS_SHOWN = 5
TAIL_CHARS = 2_000


def errors(reader: Reader, job_id: str, limit: int = HISTORY_LIMIT) -> Errors:
    """The attempts that failed, newest first; ``total`` counts all of them."""
    job = _job(reader, job_id)
    plan = queries.plan_of(reader, job_id)
    failed = [a for a in reader.attempts(job_id) if a.outcome == "failed"]
    skipped: list[Skipped] = [
        {"sheet": row.num, "name": plan.sheets[row.num - 1].name, "message": row.message}
        for row in reader.sheets(job_id)
        if row.status is SheetStatus.SKIPPED and row.category == "dependency"
    ]
    return {
        "job_id": job_id,
        "status": str(job.status),
        "error": job.error,
        "errors": [attempt_map(plan, attempt) for attempt in failed[:limit]],
        "total": len(failed),
        "skipped": skipped[:limit],
    }


def history(
    reader: Reader, job_id: str, sheet_num: int | None = None, limit: int = HISTORY_LIMIT
) -> History:
    """Every attempt that came to an end, newest first; ``learned`` has what jobs of the same score
    had used, newest first."""
    job = _job(reader, job_id)
    plan = queries.plan_of(reader, job_id)
    if sheet_num is not None and not 1 <= sheet_num <= len(plan.sheets):
        raise Refused("not_found", f"job {job_id} has sheets 1 to {len(plan.sheets)}")
    records = [attempt_map(plan, a) for a in reader.attempts(job_id, sheet_num, limit)]
    return {
        "job_id": job_id,
        "records": records,
        "has_history": bool(records),
        "learned": [outcome_map(row) for row in reader.learned.outcomes(job.config_hash)],
    }


def outcome_map(row: OutcomeRow) -> Outcome:
    """What was learned from one job that ran the same score. Memory in MB, times in seconds."""
    return {
        "job_id": row.job_id,
        "finished_at": timestamp(row.finished_at),
        "peak_memory_mb": row.peak_memory_mb,
        "cpu_seconds": row.cpu_seconds,
        "duration_seconds": row.duration_seconds,
        "category": row.category,
    }


def diagnosis(reader: Reader, directory: Path, job_id: str, learned: LearningHub) -> Diagnosis:
    """The likely cause in words, and what it was read from."""
    job = _job(reader, job_id)
    plan = queries.plan_of(reader, job_id)
    rows = {row.num: row for row in reader.sheets(job_id)}
    attempts = reader.attempts(job_id)
    why = likely_cause(job, plan, rows, attempts)
    new_work = any(a.outcome == "completed" for a in attempts)
    troubled = [row.num for _, row in sorted(rows.items()) if _is_troubled(row.status)]
    sheets: list[TroubledSheet] = []
    for num in troubled[:TROUBLED_SHEETS]:
        mine = [a for a in attempts if a.num == num]
        latest = f"{directory}/sheets/{num}.{rows[num].attempt}"
        said = tail(f"{latest}.err", TAIL_CHARS).encode()
        prompt = Path(f"{latest}.prompt")
        sheets.append(
            {
                **sheet_map(plan, rows, num),
                "attempts": [attempt_map(plan, a) for a in mine[:ATTEMPTS_SHOWN]],
                "last_output": {
                    "out": redact(tail(f"{latest}.out", TAIL_CHARS)),
                    "err": redact(readable(said, prompt, num, lambda: plan).decode()),
                },
            }
        )
    return {
        "job_id": job_id,
        "status": str(job.status),
        "reason": job.reason,
        "workspace": job.workspace,
        "state": queries.summary(reader, job_id),
        "meta": cast("Meta", JobMeta.of(job, new_work=new_work).to_dict()),
        "cause": why.cause,
        "next": why.next,
        "sheets": sheets,
        "more_sheets": max(0, len(troubled) - TROUBLED_SHEETS),
        "resources": resources(attempts),
        "supervision": supervision(reader, job),
        "learned": learned.report(job.config_hash),
    }


def resources(attempts: Sequence[AttemptResult]) -> Resources:
    """What a job used. Memory is the largest tree of one sheet, in MB; cost in dollars if told."""
    costs = [a.usage["cost_usd"] for a in attempts if a.usage.get("cost_usd") is not None]
    return {
        "attempts": len(attempts),
        "failed": sum(a.outcome == "failed" for a in attempts),
        "interrupted": sum(a.outcome == "interrupted" for a in attempts),
        "cpu_seconds": round(sum(a.cpu_seconds for a in attempts), 3),
        "sheet_seconds": round(sum(a.seconds for a in attempts), 3),
        "peak_memory_mb": max((a.peak_memory_mb for a in attempts), default=0.0),
        "output_bytes": sum(a.output_bytes for a in attempts),
        "cost_usd": round(sum(costs), 6) if costs else None,
    }


def supervision(reader: Reader, job: JobRow) -> list[PartEvent]:
    """Crashes, restarts and give-ups of the conductor's parts while the job lived, oldest first.

    ``own`` says that it was a part of this job alone.
    """
    found: list[PartEvent] = []
    for event in reader.events.of_supervision(job.submitted_at, job.finished_at):
        name = str(event.data.get("name", ""))
        own = name == f"job:{job.job_id}" or name.startswith(f"job:{job.job_id}/")
        if own or not name.startswith("job:"):
            found.append(
                {
                    "ts": timestamp(event.ts),
                    "event": event.event,
                    "name": name or None,
                    "error": event.data.get("error"),
                    "own": own,
                }
            )
    return found


def attempt_map(plan: Plan, attempt: AttemptResult) -> Attempt:
    """One attempt as the history shows it."""
    return {
        "sheet": attempt.num,
        "name": _name(plan, attempt.num),
        "attempt": attempt.attempt,
        "outcome": attempt.outcome,
        "started_at": timestamp(attempt.started_at),
        "finished_at": timestamp(attempt.finished_at),
        "duration_seconds": round(attempt.seconds, 6),
        "exit_code": attempt.exit_code,
        "signal": attempt.signal,
        "category": attempt.category,
        "code": attempt.code,
        "message": attempt.message,
        "validations": attempt.checks(),
        "peak_memory_mb": attempt.peak_memory_mb,
        "cpu_seconds": attempt.cpu_seconds,
        "output_bytes": attempt.output_bytes,
        "left_running": list(attempt.left_running),
        "node": attempt.node,
        "walls": list(attempt.walls),
        "usage": attempt.usage,
    }


def _name(plan: Plan, num: int) -> str | None:
    return plan.sheets[num - 1].name if num <= len(plan.sheets) else None


def _is_troubled(status: SheetStatus) -> bool:
    return status in (SheetStatus.FAILED, SheetStatus.WAITING, SheetStatus.RUNNING)


def _job(reader: Reader, job_id: str) -> JobRow:
    job = reader.job(job_id)
    if job is None:
        raise not_found(job_id)
    return job
