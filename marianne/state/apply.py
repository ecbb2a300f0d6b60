"""Carries out the changes of one batch inside an open transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import astuple, field
from typing import Any

from marianne.records import dataclass
from marianne.state import apply_schedules as schedules
from marianne.state import changes as c
from marianne.state.errors import (
    DuplicateAttempt,
    DuplicateRequest,
    JobExists,
    JobLive,
    NoSuchJob,
    Refused,
)
from marianne.state.models import Event, JobStatus, SheetStatus
from marianne.state.rows import (
    ATTEMPT_COLUMNS,
    JOB_FIELDS,
    OUTCOME_COLUMNS,
    PATTERN_COLUMNS,
    SHEET_COLUMNS,
    SHEET_FIELDS,
    attempt_values,
    job_value,
    job_values,
    pack,
    sheet_values,
)
from marianne.state.transitions import check, move
from marianne.state.work_time import WorkTime


def _marks(count: int) -> str:
    return ", ".join("?" * count)


_INSERT_JOB = (
    f"INSERT INTO jobs (key, {', '.join(JOB_FIELDS)}) VALUES (?, {_marks(len(JOB_FIELDS))})"
)
_SAVE_SHEET = (
    f"INSERT OR REPLACE INTO sheets (job, {SHEET_COLUMNS}) VALUES (?, {_marks(len(SHEET_FIELDS))})"
)
_ADD_ATTEMPT = f"INSERT INTO attempts (job, {ATTEMPT_COLUMNS}) VALUES (?, {_marks(9)})"
_KEEP_WORK = "UPDATE jobs SET worked = ?, work_since = ?, work_until = ? WHERE key = ?"
_ADD_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)"
_ADD_OUTCOME = f"INSERT INTO outcomes ({OUTCOME_COLUMNS}) VALUES ({_marks(7)})"
_DROP_OUTCOMES = (
    "DELETE FROM outcomes WHERE config_hash = ? AND num <= (SELECT num FROM outcomes "
    "WHERE config_hash = ? ORDER BY num DESC LIMIT 1 OFFSET ?)"
)
_SAVE_PATTERN = f"INSERT OR REPLACE INTO patterns ({PATTERN_COLUMNS}) VALUES ({_marks(5)})"

OUTCOMES_KEPT = 20
"""Outcomes of one configuration that are kept."""


@dataclass(slots=True)
class _Job:
    """What a batch knows of a job that it touches; written back once, at the batch's end."""

    key: int
    status: JobStatus
    last_event: int
    work: WorkTime
    told: bool = False
    worked: bool = False
    moved: dict[SheetStatus, int] = field(default_factory=dict)


class Batch:
    """One batch. After ``run`` its events are in ``events`` and ``seq`` is the last one used.

    Raises a Refused error for a wrong change; the caller then undoes the transaction or the
    savepoint around it.
    """

    def __init__(self, connection: sqlite3.Connection, seq: int) -> None:
        self._execute = connection.execute
        self._executemany = connection.executemany
        self._rows: list[tuple[object, ...]] = []
        self.seq = seq
        self.events: list[Event] = []
        self._jobs: dict[str, _Job] = {}

    def run(self, batch: Sequence[c.Change]) -> None:
        """Carries out all changes in order, then brings the jobs' counters up to date."""
        try:
            for change in batch:
                _HANDLERS[type(change)](self, change)
            if self._rows:  # together: nothing in a batch reads events
                self._executemany(_ADD_EVENT, self._rows)
            for job in self._jobs.values():
                self._write_back(job)
        except _UNFIT as error:
            # Half a surrogate pair, an integer over 64 bits, an object in an event's data: the
            # fault of this batch, so no reason to undo the others.
            raise Refused(f"cannot be stored: {type(error).__name__}: {error}") from error

    def _job(self, job_id: str) -> _Job:
        job = self._jobs.get(job_id)
        if job is None:
            found = self._execute(
                "SELECT key, status, last_event, running, worked, work_since, work_until "
                "FROM ids JOIN jobs USING (key) WHERE job_id = ?",
                (job_id,),
            ).fetchone()
            if found is None:
                raise NoSuchJob(f"no job {job_id!r}")
            key, status, last_event, *work = found
            job = self._jobs[job_id] = _Job(key, JobStatus(status), last_event, WorkTime(*work))
        return job

    def _write_back(self, job: _Job) -> None:
        if job.told:
            self._execute("UPDATE jobs SET last_event = ? WHERE key = ?", (job.last_event, job.key))
        moved = {status: by for status, by in job.moved.items() if by}
        if moved:
            terms = ", ".join(f"{status} = {status} + ?" for status in moved)
            self._execute(f"UPDATE jobs SET {terms} WHERE key = ?", (*moved.values(), job.key))
        if job.worked:
            work = job.work
            self._execute(_KEEP_WORK, (work.seconds, work.since, work.until, job.key))

    def _insert_job(self, change: c.InsertJob) -> None:
        row = change.row
        try:
            cursor = self._execute("INSERT INTO ids (job_id) VALUES (?)", (row.job_id,))
        except sqlite3.IntegrityError:
            raise JobExists(f"the id {row.job_id!r} is or was in use") from None
        key = cursor.lastrowid
        assert key is not None
        self._execute(_INSERT_JOB, (key, *job_values(row)))
        self._execute(
            "INSERT INTO job_files VALUES (?, ?, ?, ?)",
            (key, change.plan, change.score, change.environment),
        )
        self._jobs[row.job_id] = _Job(key, row.status, 0, WorkTime())

    def _update_job(self, change: c.UpdateJob) -> None:
        job = self._job(change.job_id)
        unknown = set(change.fields) - _UPDATABLE
        if unknown:
            raise Refused(f"a job has no field {', '.join(sorted(unknown))} to change")
        if not change.fields:
            return
        if "status" in change.fields:
            move(job, JobStatus(change.fields["status"]), asked=change.asked)
        terms = ", ".join(f"{name} = ?" for name in change.fields)
        values = [job_value(name, value) for name, value in change.fields.items()]
        self._execute(f"UPDATE jobs SET {terms} WHERE key = ?", (*values, job.key))

    def _replace_plan(self, change: c.ReplacePlan) -> None:
        key = self._job(change.job_id).key
        self._execute(
            "UPDATE job_files SET plan = ?, score = ? WHERE key = ?",
            (change.plan, change.score, key),
        )
        self._execute("UPDATE jobs SET sheet_count = ? WHERE key = ?", (change.sheet_count, key))

    def _grow_plan(self, change: c.GrowPlan) -> None:
        key = self._job(change.job_id).key
        self._execute("UPDATE job_files SET plan = ? WHERE key = ?", (change.plan, key))
        self._execute("UPDATE jobs SET sheet_count = ? WHERE key = ?", (change.sheet_count, key))

    def _save_sheet(self, change: c.SaveSheet) -> None:
        job, row = self._job(change.job_id), change.row
        found = self._execute(
            "SELECT status FROM sheets WHERE job = ? AND num = ?", (job.key, row.num)
        ).fetchone()
        old = SheetStatus(found[0]) if found else SheetStatus.PENDING
        if old is not row.status:
            check(old, row.status, asked=change.asked)
            _count(job, old, -1)
            _count(job, row.status, +1)
            job.worked |= job.work.saved(old, row)
        self._execute(_SAVE_SHEET, (job.key, *sheet_values(row)))

    def _hold_work(self, change: c.HoldWork) -> None:
        job = self._job(change.job_id)
        job.worked |= job.work.hold(change.on, change.ts)

    def _drop_sheets(self, change: c.DropSheets) -> None:
        job = self._job(change.job_id)
        where = (job.key, change.first)
        for status, number in self._execute(
            "SELECT status, count(*) FROM sheets WHERE job = ? AND num >= ? GROUP BY status", where
        ).fetchall():
            _count(job, SheetStatus(status), -number)
        self._execute("DELETE FROM sheets WHERE job = ? AND num >= ?", where)

    def _add_attempt(self, change: c.AddAttempt) -> None:
        key = self._job(change.job_id).key
        try:
            self._execute(_ADD_ATTEMPT, (key, *attempt_values(change.result)))
        except sqlite3.IntegrityError:
            raise DuplicateAttempt(
                f"attempt {change.result.attempt} of sheet {change.result.num} of job "
                f"{change.job_id} already has its result"
            ) from None

    def _add_event(self, change: c.AddEvent) -> None:
        key, prev = None, 0
        seq = self.seq + 1
        if change.job_id is not None:
            job = self._job(change.job_id)
            key, prev = job.key, job.last_event
            job.last_event, job.told = seq, True
        data = dict(change.data)
        packed = pack(data) if data else None
        self._rows.append((seq, prev, change.ts, key, change.sheet_num, change.event, packed))
        self.seq = seq
        self.events.append(
            Event(seq, prev, change.ts, change.job_id, change.sheet_num, change.event, data)
        )

    def _remember_reply(self, change: c.RememberReply) -> None:
        try:
            self._execute(
                "INSERT INTO replies VALUES (?, ?, ?, ?)",
                (change.request_id, change.ts, change.reply, change.asked),
            )
        except sqlite3.IntegrityError:
            raise DuplicateRequest(
                f"the request {change.request_id!r} already has its reply"
            ) from None

    def _set_meta(self, change: c.SetMeta) -> None:
        if change.value is None:
            self._execute("DELETE FROM meta WHERE name = ?", (change.name,))
        else:
            self._execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (change.name, change.value))

    def _add_outcome(self, change: c.AddOutcome) -> None:
        row = change.row
        self._execute(_ADD_OUTCOME, astuple(row))
        self._execute(_DROP_OUTCOMES, (row.config_hash, row.config_hash, OUTCOMES_KEPT))

    def _save_pattern(self, change: c.SavePattern) -> None:
        self._execute(_SAVE_PATTERN, astuple(change.row))

    def _delete_job(self, change: c.DeleteJob) -> None:
        job = self._job(change.job_id)
        if not job.status.terminal:
            raise JobLive(f"job {change.job_id} is {job.status}: cancel it first")
        for table, column in _TABLES_OF_A_JOB:
            self._execute(f"DELETE FROM {table} WHERE {column} = ?", (job.key,))
        del self._jobs[change.job_id]


def _count(job: _Job, status: SheetStatus, by: int) -> None:
    # Pending has no counter: it is what remains of sheet_count.
    if status is not SheetStatus.PENDING:
        job.moved[status] = job.moved.get(status, 0) + by


_UNFIT = (
    TypeError,
    ValueError,
    OverflowError,
    KeyError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
)
_UPDATABLE = frozenset(JOB_FIELDS)
_TABLES_OF_A_JOB = (("sheets", "job"), ("attempts", "job"), ("job_files", "key"), ("jobs", "key"))
_HANDLERS: dict[type, Callable[[Batch, Any], None]] = {
    c.InsertJob: Batch._insert_job,
    c.UpdateJob: Batch._update_job,
    c.ReplacePlan: Batch._replace_plan,
    c.GrowPlan: Batch._grow_plan,
    c.SaveSheet: Batch._save_sheet,
    c.HoldWork: Batch._hold_work,
    c.DropSheets: Batch._drop_sheets,
    c.AddAttempt: Batch._add_attempt,
    c.AddEvent: Batch._add_event,
    c.RememberReply: Batch._remember_reply,
    c.SetMeta: Batch._set_meta,
    c.AddOutcome: Batch._add_outcome,
    c.SavePattern: Batch._save_pattern,
    c.DeleteJob: Batch._delete_job,
    c.InsertSchedule: lambda batch, change: schedules.insert(batch._execute, change),
    c.UpdateSchedule: lambda batch, change: schedules.update(batch._execute, change),
    c.TakeSlots: lambda batch, change: schedules.take(batch._execute, change),
    c.FireSlot: lambda batch, change: schedules.fire(batch._execute, change),
    c.DeleteSchedule: lambda batch, change: schedules.delete(batch._execute, change),
}
