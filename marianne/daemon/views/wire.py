"""How state looks to a client: events, jobs and sheets as the maps of docs/protocol.md."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, overload

from marianne.model.plan import Plan, SheetPlan
from marianne.schedule.account import Account
from marianne.schedule.waits import OPTION, Waits
from marianne.state.models import NOW, Event, JobRow, JobStatus, SheetRow, SheetStatus

if TYPE_CHECKING:
    from marianne.replies import conductor, reports
    from marianne.replies import job as told
    from marianne.schedule.explain import Explanation


LETTERS = {
    SheetStatus.PENDING: b"p",
    SheetStatus.READY: b"p",
    SheetStatus.RUNNING: b"r",
    SheetStatus.WAITING: b"w",
    SheetStatus.COMPLETED: b"c",
    SheetStatus.FAILED: b"f",
    SheetStatus.SKIPPED: b"s",
    SheetStatus.CANCELLED: b"x",
}
"""Statuses as one byte each, for ``job.map``."""


@overload
def timestamp(seconds: float) -> told.Time: ...
@overload
def timestamp(seconds: None) -> None: ...
@overload
def timestamp(seconds: float | None) -> told.Time | None: ...
def timestamp(seconds: float | None) -> told.Time | None:
    """RFC 3339 in UTC with microseconds and Z, always 27 characters; None stays None."""
    if seconds is None:
        return None
    # Thousands of events fall into one second, and its text is most of the work. Rounded as
    # datetime does it.
    part, whole = math.modf(seconds)
    micros = round(part * 1e6)
    if micros >= 1_000_000:
        micros, whole = 0, whole + 1
    return f"{_second(whole)}.{micros:06d}Z"


@lru_cache(maxsize=64)
def _second(whole: float) -> str:
    return datetime.fromtimestamp(whole, UTC).isoformat()[:19]


def event_map(event: Event) -> conductor.Event:
    """The body of a published event."""
    return {
        "seq": event.seq,
        "prev": event.prev,
        "ts": timestamp(event.ts),
        "job_id": event.job_id,
        "sheet_num": event.sheet_num,
        "event": event.event,
        "data": event.data,
    }


def job_map(job: JobRow, progress: told.Progress) -> told.Job:
    """A job without its sheets, as ``list`` shows it."""
    found: told.Job = {
        "job_id": job.job_id,
        "name": job.name,
        "status": str(job.status),
        "reason": job.reason,
        "workspace": job.workspace,
        "config_path": job.config_path,
        "priority": job.priority,
        "submitted_at": timestamp(job.submitted_at),
        "started_at": timestamp(job.started_at),
        "finished_at": timestamp(job.finished_at),
        "worked_seconds": round(job.worked, 6),
        "at_work_since": timestamp(job.work_since),
        "still_since": timestamp(job.work_until) if is_held(job) else None,
        "error": job.error,
        "progress": progress,
        "usage": Account.read(job.options.get("account")).usage(),
    }
    if OPTION in job.options:
        waits = Waits.read(job.options)
        found["waits_for"] = [job_id for job_id, _ in waits.jobs]
        found["begins_at"] = timestamp(waits.at)
    if "group" in job.options:
        found["group"] = job.options["group"]
    return found


def is_held(job: JobRow) -> bool:
    """Whether all that runs of the job is to stand still."""
    return job.status is JobStatus.PAUSING and job.reason == NOW and job.work_since is None


def states(total: int, known: Iterable[tuple[int, SheetStatus]]) -> bytearray:
    """One letter a sheet; of a sheet that is not among the known ones that of a pending one."""
    letters = bytearray(LETTERS[SheetStatus.PENDING] * total)
    for num, status in known:
        if num <= total:
            letters[num - 1] = LETTERS[status][0]
    return letters


def sheet_maps(sheets: Iterable[SheetPlan], rows: Mapping[int, SheetRow]) -> list[told.Sheet]:
    """Sheets as ``status`` shows them, in this order."""
    return [_sheet_map(sheet, rows) for sheet in sheets]


def sheet_map(plan: Plan, rows: Mapping[int, SheetRow], num: int) -> told.Sheet:
    """One sheet. A pending sheet whose needs are all satisfied (or, if it runs for any end or for
    a bad one, have all ended) shows as ready."""
    return _sheet_map(plan.sheets[num - 1], rows)


def _sheet_map(sheet: SheetPlan, rows: Mapping[int, SheetRow]) -> told.Sheet:
    num = sheet.num
    row = rows.get(num) or SheetRow(num)
    # One that completed by an earlier score may have a fallback that this score does not.
    instrument = sheet.instrument_at(row.fallback) or sheet.instrument
    status = row.status
    met = _satisfied if sheet.when == "succeeded" else _over
    if status is SheetStatus.PENDING and all(met(rows.get(n)) for n in sheet.needs):
        status = SheetStatus.READY
    ended = row.started_at is not None and row.finished_at is not None
    error: told.SheetError | None = None
    if row.category or row.code or row.message:
        error = {"category": row.category, "code": row.code, "message": row.message}
    return {
        "num": num,
        "name": sheet.name,
        "status": str(status),
        "attempt": row.attempt,
        "instrument": instrument.profile,
        "model": instrument.model,
        "exit_code": row.exit_code,
        "signal": row.signal,
        "started_at": timestamp(row.started_at),
        "finished_at": timestamp(row.finished_at),
        "due_at": timestamp(row.due_at),
        "duration_seconds": round(row.finished_at - row.started_at, 6)  # type: ignore[operator]
        if ended
        else None,
        "worked_seconds": round(row.worked, 6),
        "validations": row.validations,
        "error": error,
        "left_running": row.left_running,
        "node": row.node,
        "walls": list(row.walls),
    }


def reason(why: Explanation) -> reports.Reason:
    """Why a sheet does not run now; ``until`` in its data is in seconds since the epoch."""
    data = dict(why.data)
    if "until" in data:
        data["until"] = timestamp(data["until"])
    return {"code": why.code, "text": why.text, "data": data}


def _over(row: SheetRow | None) -> bool:
    return row is not None and row.status.terminal


def _satisfied(row: SheetRow | None) -> bool:
    return row is not None and row.satisfied
