"""Between rows of the database and the plain data of :mod:`marianne.state.models`."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgpack

from marianne.model.result import AttemptResult, ValidationOutcome
from marianne.records import dataclass
from marianne.state.models import (
    Event,
    JobRow,
    JobStatus,
    OutcomeRow,
    PatternRow,
    ScheduleRow,
    SheetRow,
    SheetStatus,
)

if TYPE_CHECKING:
    from marianne.replies.job import Progress

Values = Sequence[Any]

JOB_FIELDS = tuple(name for name in JobRow.__dataclass_fields__ if name != "job_id")
SHEET_FIELDS = tuple(SheetRow.__dataclass_fields__)
COUNTED = tuple(status for status in SheetStatus if status is not SheetStatus.PENDING)
"""The statuses that have a counter in the job's row; the rest of the sheets are pending."""

JOB_COLUMNS = ", ".join(("ids.job_id", *(f"jobs.{name}" for name in JOB_FIELDS)))
COUNT_COLUMNS = ", ".join(f"jobs.{status}" for status in COUNTED)
SHEET_COLUMNS = ", ".join(SHEET_FIELDS)
ATTEMPT_COLUMNS = (
    "num, attempt, outcome, started_at, finished_at, exit_code, signal, category, more"
)
OUTCOME_COLUMNS = ", ".join(OutcomeRow.__dataclass_fields__)
PATTERN_COLUMNS = ", ".join(PatternRow.__dataclass_fields__)
SCHEDULE_FIELDS = tuple(ScheduleRow.__dataclass_fields__)
SCHEDULE_COLUMNS = ", ".join(SCHEDULE_FIELDS)
EVENT_COLUMNS = "events.seq, prev, ts, ids.job_id, sheet, event, data"

_SHEET_STATUS = {str(status): status for status in SheetStatus}


@dataclass(frozen=True, slots=True)
class SheetCounts:
    """How many sheets of a job stand where."""

    pending: int
    ready: int
    running: int
    waiting: int
    completed: int
    failed: int
    skipped: int
    cancelled: int

    def progress(self) -> Progress:
        """As people see it: ready and waiting count as pending."""
        pending = self.pending + self.ready + self.waiting
        ended = self.completed + self.failed + self.skipped + self.cancelled
        return {
            "completed": self.completed,
            "failed": self.failed,
            "skipped": self.skipped,
            "cancelled": self.cancelled,
            "running": self.running,
            "pending": pending,
            "total": pending + self.running + ended,
        }


@dataclass(frozen=True, slots=True)
class JobView:
    """A job and the counts of its sheets, which is all that a list shows."""

    row: JobRow
    counts: SheetCounts


def pack(value: Any) -> bytes:
    """The stored form of maps and lists."""
    # msgpack's own first buffer of 256 KiB costs page faults at each call.
    packed: bytes = msgpack.packb(value, buf_size=2048)
    return packed


def unpack(data: bytes) -> Any:
    """Reads the stored form; integer keys of maps stay integers."""
    return msgpack.unpackb(data, strict_map_key=False)


_job_values = attrgetter(*JOB_FIELDS)
_OPTIONS = JOB_FIELDS.index("options")


def job_value(name: str, value: Any) -> Any:
    """The stored form of one field of a JobRow."""
    return pack(value) if name == "options" else value


def job_values(row: JobRow) -> list[Any]:
    """The values of JOB_FIELDS."""
    values = list(_job_values(row))
    values[_OPTIONS] = pack(row.options)
    return values


def read_job(values: Values) -> JobRow:
    """Reads JOB_COLUMNS."""
    row = JobRow(**dict(zip(("job_id", *JOB_FIELDS), values, strict=True)))
    row.status = JobStatus(row.status)
    row.options = unpack(values[_OPTIONS + 1])
    return row


def read_counts(sheet_count: int, values: Values) -> SheetCounts:
    """Reads COUNT_COLUMNS; what has no counter is pending."""
    return SheetCounts(sheet_count - sum(values), *values)


def read_view(values: Values) -> JobView:
    """Reads JOB_COLUMNS followed by COUNT_COLUMNS."""
    row = read_job(values[: -len(COUNTED)])
    return JobView(row, read_counts(row.sheet_count, values[-len(COUNTED) :]))


def sheet_values(row: SheetRow) -> tuple[Any, ...]:
    """The values of SHEET_COLUMNS; empty lists take no space."""
    return (
        row.num,
        row.status,
        row.attempt,
        row.failures,
        row.completions,
        row.fallback,
        row.started_at,
        row.finished_at,
        row.exit_code,
        row.signal,
        row.category,
        row.code,
        row.message,
        row.due_at,
        row.node,
        row.worked,
        pack(row.walls) if row.walls else None,
        pack(row.validations) if row.validations else None,
        pack(row.left_running) if row.left_running else None,
    )


def read_sheet(values: Values) -> SheetRow:
    """Reads SHEET_COLUMNS."""
    row = SheetRow(*values)
    row.status = _SHEET_STATUS[row.status]
    # Empty lists are stored as nothing.
    row.walls = tuple(unpack(values[-3])) if values[-3] else ()
    row.validations = unpack(values[-2]) if values[-2] else []
    row.left_running = unpack(values[-1]) if values[-1] else []
    return row


def attempt_values(result: AttemptResult) -> tuple[Any, ...]:
    """The values of ATTEMPT_COLUMNS; what is empty takes no space."""
    more = {
        name: value
        for name in _MORE
        if (value := getattr(result, name)) not in (None, 0, 0.0, (), {}, "")
    }
    if result.validations:
        more["validations"] = [(v.type, v.passed, v.detail) for v in result.validations]
    return (
        result.num,
        result.attempt,
        result.outcome,
        result.started_at,
        result.finished_at,
        result.exit_code,
        result.signal,
        result.category,
        pack(more),
    )


def read_attempt(values: Values) -> AttemptResult:
    """Reads ATTEMPT_COLUMNS. ``serial`` is 0: it numbers messages, not history."""
    num, attempt, outcome, started_at, finished_at, exit_code, signal, category, packed = values
    more = unpack(packed)
    more["validations"] = tuple(ValidationOutcome(*v) for v in more.get("validations", ()))
    more["left_running"] = tuple(more.get("left_running", ()))
    more["walls"] = tuple(more.get("walls", ()))
    return AttemptResult(
        num=num,
        attempt=attempt,
        outcome=outcome,
        started_at=started_at,
        finished_at=finished_at,
        exit_code=exit_code,
        signal=signal,
        category=category,
        **{name: value for name, value in more.items() if name in _KNOWN_MORE},
    )


def schedule_value(name: str, value: Any) -> Any:
    """The stored form of one field of a ScheduleRow."""
    return pack(value) if name in ("owed", "request") else value


def read_schedule(values: Values) -> ScheduleRow:
    """Reads SCHEDULE_COLUMNS."""
    row = ScheduleRow(*values)
    row.paused = bool(row.paused)
    row.owed = read_owed(values[SCHEDULE_FIELDS.index("owed")])
    row.request = unpack(values[SCHEDULE_FIELDS.index("request")])
    return row


def read_owed(packed: bytes) -> list[tuple[float, bool]]:
    """The slots that are owed."""
    return [(slot, replaces) for slot, replaces in unpack(packed)]


def read_event(values: Values) -> Event:
    """Reads EVENT_COLUMNS."""
    seq, prev, ts, job_id, sheet, event, data = values
    return Event(seq, prev, ts, job_id, sheet, event, unpack(data) if data else {})


_MORE = tuple(
    name
    for name in AttemptResult.__dataclass_fields__
    if name not in ("serial", "validations", *ATTEMPT_COLUMNS.split(", "))
)
_KNOWN_MORE = frozenset((*_MORE, "validations"))
