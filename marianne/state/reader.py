"""Reading the state: a connection of one's own, which never waits for the writer.

Everything read is committed. Each call sees one moment of the database.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from marianne.model.result import AttemptResult
from marianne.records import dataclass
from marianne.state import ids, rows
from marianne.state.attempt_spans import AttemptSpans
from marianne.state.connection import Rows
from marianne.state.errors import AmbiguousJob, NoSuchJob, OtherRequest
from marianne.state.event_log import EventLog
from marianne.state.learned import Learned
from marianne.state.models import (
    TERMINAL_JOB,
    JobRow,
    JobStatus,
    SheetRow,
    SheetStatus,
)
from marianne.state.rows import JobView
from marianne.state.scheduled import Scheduled

if TYPE_CHECKING:
    from marianne.replies.conductor import StateSize

_JOBS = "jobs JOIN ids USING (key)"
_VIEW = f"{rows.JOB_COLUMNS}, {rows.COUNT_COLUMNS}"
_CANDIDATES = 8


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs; a field that is None does not matter. ``name`` (of the score) and
    ``config_path`` are compared exactly."""

    statuses: frozenset[JobStatus] | None = None
    name: str | None = None
    config_path: str | None = None
    submitted_before: float | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs, newest first; ``cursor`` asks for the next ones and is None on the last page."""

    jobs: list[JobView]
    cursor: int | None


class Reader:
    """Reads the database at ``path``. The file must exist (Database makes it).

    For one thread; with ``any_thread`` for any, but never for two at once. ``events`` reads what
    happened, ``learned`` what jobs had used, ``scheduled`` the schedules, ``spans`` when attempts
    ran. With ``left`` nobody else has it open, and it is read also where nothing can be written.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, any_thread: bool = False, left: bool = False
    ) -> None:
        self.path = Path(path)
        self._rows = Rows(self.path, any_thread=any_thread, left=left)
        self.events = EventLog(self._rows)
        self.learned = Learned(self._rows)
        self.scheduled = Scheduled(self._rows)
        self.spans = AttemptSpans(self._rows)

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._rows.close()

    # -- jobs -----------------------------------------------------------------------------------

    def job(self, job_id: str) -> JobRow | None:
        """The job's row; None when there is no such job."""
        found = self._rows.one(f"SELECT {rows.JOB_COLUMNS} FROM {_JOBS} WHERE job_id = ?", job_id)
        return rows.read_job(found) if found else None

    def view(self, job_id: str) -> JobView | None:
        """The job's row with the counts of its sheets, as a list shows it."""
        found = self._rows.one(f"SELECT {_VIEW} FROM {_JOBS} WHERE job_id = ?", job_id)
        return rows.read_view(found) if found else None

    def jobs(
        self, only: JobFilter | None = None, limit: int = 50, cursor: int | None = None
    ) -> Page:
        """Jobs by their submission, newest first. ``cursor`` is that of the page before."""
        where, values = _where(only or JobFilter(), cursor)
        # The keys first: they come from an index, and only ``limit`` rows are read in full.
        found = self._rows.all(
            f"SELECT {_VIEW}, jobs.key FROM {_JOBS} WHERE jobs.key IN "
            f"(SELECT key FROM jobs WHERE {where} ORDER BY key DESC LIMIT ?) "
            "ORDER BY jobs.key DESC",
            *values,
            limit + 1,
        )
        page = [rows.read_view(row[:-1]) for row in found[:limit]]
        return Page(page, found[limit - 1][-1] if len(found) > limit > 0 else None)

    def live_jobs(self, *, with_worker: bool = False) -> list[JobRow]:
        """All jobs that are not in a final state, oldest first: what a start has to take up; or
        those of them that a worker process is recorded of, whether it lives or not."""
        where, values = _where(JobFilter(frozenset(JobStatus) - TERMINAL_JOB), None)
        if with_worker:
            where = f"({where}) AND jobs.worker_pid IS NOT NULL"
        found = self._rows.all(
            f"SELECT {rows.JOB_COLUMNS} FROM {_JOBS} WHERE {where} ORDER BY jobs.key", *values
        )
        return [rows.read_job(row) for row in found]

    def statuses(self, only: JobFilter | None = None) -> dict[JobStatus, int]:
        """How many jobs are in each status that occurs."""
        where, values = _where(only or JobFilter(), None)
        found = self._rows.all(
            f"SELECT status, count(*) FROM jobs WHERE {where} GROUP BY status", *values
        )
        return {JobStatus(status): number for status, number in found}

    def sheet_totals(self) -> dict[SheetStatus, int]:
        """How many sheets of all jobs are in each status; what has no counter is pending."""
        sums = ", ".join(f"coalesce(sum({name}), 0)" for name in rows.COUNTED)
        found = self._rows.one(f"SELECT coalesce(sum(sheet_count), 0), {sums} FROM jobs")
        total, *counted = found or (0, *(0 for _ in rows.COUNTED))
        found_by = dict(zip(rows.COUNTED, counted, strict=True))
        return {SheetStatus.PENDING: int(total - sum(counted)), **found_by}

    def running_sheets(self) -> int:
        """How many sheets of all jobs run."""
        found = self._rows.one("SELECT coalesce(sum(running), 0) FROM jobs")
        return int(found[0]) if found else 0

    def resolve(self, prefix: str) -> str:
        """The id that is ``prefix`` or, if none is, the only one that begins with it; else of the
        jobs whose score has this name the one whose id was made of it, or the only one.

        Raises NoSuchJob, or AmbiguousJob with some of the ids that fit.
        """
        if self._rows.one(f"SELECT 1 FROM {_JOBS} WHERE job_id = ?", prefix):
            return prefix
        found = self._rows.all(
            f"SELECT job_id FROM {_JOBS} WHERE job_id >= ? AND job_id < ? ORDER BY job_id LIMIT ?",
            prefix,
            prefix + "\U0010ffff",
            _CANDIDATES,
        )
        if not found:
            made = self.job(ids.from_name(prefix))
            if made is not None and made.name == prefix:
                return made.job_id
            named = f"SELECT job_id FROM {_JOBS} WHERE name = ? ORDER BY jobs.key LIMIT ?"
            found = self._rows.all(named, prefix, _CANDIDATES)
        if not found or not prefix:
            raise NoSuchJob(f"no job {prefix!r}")
        if len(found) > 1:
            raise AmbiguousJob(prefix, [row[0] for row in found])
        return str(found[0][0])

    def newest(self, job: str) -> str | None:
        """The newest job of the score that ``job`` names: by its name, or by the id that is made of
        it. An id that somebody chose names its own job. None where it names neither."""
        named = self.job(job)
        if named is not None and ids.from_name(named.name) != job:
            return job
        name = job if named is None else named.name
        found = self._rows.one(
            f"SELECT job_id FROM {_JOBS} WHERE name = ? ORDER BY jobs.key DESC LIMIT 1", name
        )
        return str(found[0]) if found else None

    def taken(self, job_id: str) -> bool:
        """Whether the id is or ever was in use."""
        return self._rows.one("SELECT 1 FROM ids WHERE job_id = ?", job_id) is not None

    def expired_jobs(self, keep: int, finished_before: float | None = None) -> list[str]:
        """Finished jobs beyond the ``keep`` that ended last, or that ended before a time; in the
        order of their ends, by their events: clocks may be set."""
        where, values = _where(JobFilter(TERMINAL_JOB), None)
        found = self._rows.all(
            "SELECT job_id, finished_at FROM "
            f"(SELECT key, finished_at FROM jobs WHERE {where}) JOIN ids USING (key) "
            "ORDER BY (SELECT max(seq) FROM events WHERE job = key), key",
            *values,
        )
        return [
            str(job_id)
            for place, (job_id, finished_at) in enumerate(found, keep - len(found))
            if place < 0 or (finished_before is not None and (finished_at or 0) < finished_before)
        ]

    # -- what a job is made of ------------------------------------------------------------------

    def plan(self, job_id: str) -> bytes:
        """The packed plan. Raises NoSuchJob."""
        return bytes(self._file(job_id, "plan"))

    def score(self, job_id: str) -> str:
        """The text of the score as it was submitted. Raises NoSuchJob."""
        return str(self._file(job_id, "score"))

    def environment(self, job_id: str) -> bytes:
        """The packed environment of the submitter: secrets, not to be shown. Raises NoSuchJob."""
        return bytes(self._file(job_id, "environment"))

    def sheets(self, job_id: str, first: int = 1, last: int | None = None) -> list[SheetRow]:
        """The rows of sheets ``first`` to ``last``, by number.

        A sheet that was never touched has no row: it is pending. Raises NoSuchJob.
        """
        found = self._rows.all(
            f"SELECT {rows.SHEET_COLUMNS} FROM sheets "
            "WHERE job = ? AND num BETWEEN ? AND ? ORDER BY num",
            self._key(job_id),
            first,
            2**62 if last is None else last,
        )
        return [rows.read_sheet(row) for row in found]

    def sheet_statuses(self, job_id: str) -> list[tuple[int, SheetStatus]]:
        """The number and the status of each sheet that has a row. Raises NoSuchJob."""
        found = self._rows.all("SELECT num, status FROM sheets WHERE job = ?", self._key(job_id))
        return [(num, SheetStatus(status)) for num, status in found]

    def attempts(
        self, job_id: str, num: int | None = None, limit: int | None = None
    ) -> list[AttemptResult]:
        """The results of a sheet's attempts (or of all sheets'), newest first. Raises NoSuchJob."""
        only, values = ("AND num = ?", [num]) if num is not None else ("", [])
        found = self._rows.all(
            f"SELECT {rows.ATTEMPT_COLUMNS} FROM attempts WHERE job = ? {only} "
            "ORDER BY finished_at DESC, num DESC, attempt DESC LIMIT ?",
            self._key(job_id),
            *values,
            -1 if limit is None else limit,
        )
        return [rows.read_attempt(row) for row in found]

    def attempt(self, job_id: str, num: int, attempt: int) -> AttemptResult | None:
        """The result of one attempt; None while there is none. Raises NoSuchJob."""
        found = self._rows.one(
            f"SELECT {rows.ATTEMPT_COLUMNS} FROM attempts "
            "WHERE job = ? AND num = ? AND attempt = ?",
            self._key(job_id),
            num,
            attempt,
        )
        return rows.read_attempt(found) if found else None

    def last_attempts(self, job_id: str, first: int) -> dict[int, int]:
        """The number of the last attempt of each sheet from ``first`` on that ever had one."""
        found = self._rows.all(
            "SELECT num, max(attempt) FROM attempts WHERE job = ? AND num >= ? GROUP BY num",
            self._key(job_id),
            first,
        )
        return {row[0]: row[1] for row in found}

    # -- replies, kept values, figures ----------------------------------------------------------

    def reply(self, request_id: str) -> bytes | None:
        """What a mutating request was answered, None if it was not carried out."""
        found = self._rows.one("SELECT reply FROM replies WHERE request_id = ?", request_id)
        return bytes(found[0]) if found else None

    def answered(self, request_id: str, asked: bytes) -> bytes | None:
        """As :meth:`reply`. Raises OtherRequest where the id, or a part of it (``<id>/<job_id>``),
        has a reply to a request that asked for something else."""
        found = self._rows.one(
            "SELECT max(asked <> ?1), max(CASE WHEN request_id = ?2 THEN reply END) FROM replies"
            # One walk over what begins with the id: / is the character before 0.
            " WHERE request_id >= ?2 AND request_id < ?2 || '0'"
            " AND (request_id = ?2 OR request_id >= ?2 || '/')",
            asked,
            request_id,
        )
        other, reply = found or (None, None)
        if other:
            raise OtherRequest("this id was used by another request: ids are unique")
        return None if reply is None else bytes(reply)

    def meta(self, name: str) -> bytes | None:
        """A value that SetMeta kept."""
        found = self._rows.one("SELECT value FROM meta WHERE name = ?", name)
        return bytes(found[0]) if found else None

    def metas(self, prefix: str) -> list[tuple[str, bytes]]:
        """All values that SetMeta kept under names that begin with ``prefix``, by name."""
        found = self._rows.all(
            "SELECT name, value FROM meta WHERE name >= ? AND name < ? ORDER BY name",
            prefix,
            prefix + "\U0010ffff",
        )
        return [(name, bytes(value)) for name, value in found]

    def size(self) -> StateSize:
        """Bytes on disk (database and write-ahead log) and numbers of rows kept."""
        log = Path(f"{self.path}-wal")
        return {
            "bytes": self.path.stat().st_size + (log.stat().st_size if log.exists() else 0),
            "jobs": self._number_of("jobs"),
            "attempts": self._number_of("attempts"),
            "events": self._number_of("events"),
            "replies": self._number_of("replies"),
        }

    def _number_of(self, table: str) -> int:
        found = self._rows.one(f"SELECT count(*) FROM {table}")
        return found[0] if found else 0

    # -- small parts ----------------------------------------------------------------------------

    def _file(self, job_id: str, column: str) -> Any:
        return self._need(
            f"SELECT {column} FROM job_files JOIN ids USING (key) WHERE job_id = ?", job_id
        )[0]

    def _key(self, job_id: str) -> int:
        return int(self._need(f"SELECT key FROM {_JOBS} WHERE job_id = ?", job_id)[0])

    def _need(self, sql: str, job_id: str) -> Sequence[Any]:
        found = self._rows.one(sql, job_id)
        if found is None:
            raise NoSuchJob(f"no job {job_id!r}")
        return found


def _where(only: JobFilter, cursor: int | None) -> tuple[str, list[object]]:
    terms: list[str] = ["1"]
    values: list[object] = []
    if only.statuses is not None:
        terms.append(f"status IN ({_marks(only.statuses)})")
        values += sorted(only.statuses)
    if only.name is not None:
        terms.append("name = ?")
        values.append(only.name)
    if only.config_path is not None:
        terms.append("config_path = ?")
        values.append(only.config_path)
    if only.submitted_before is not None:
        terms.append("submitted_at < ?")
        values.append(only.submitted_before)
    if cursor is not None:
        terms.append("key < ?")
        values.append(cursor)
    return " AND ".join(terms), values


def _marks(values: Iterable[object]) -> str:
    return ", ".join("?" for _ in values)
