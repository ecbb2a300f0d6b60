"""What is read of jobs from disk, for clients: summaries, statuses, lists, output."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from marianne.daemon.shared.refusal import Refused, not_found
from marianne.daemon.views import wire
from marianne.daemon.views.script_names import readable
from marianne.daemon.views.traces import traces_sent
from marianne.model.plan import Plan, SheetPlan
from marianne.score.pack import PlanFormatError, unpack_plan, unpack_sheets
from marianne.state.models import TERMINAL_JOB, JobStatus, SheetRow, SheetStatus
from marianne.state.reader import JobFilter, Reader
from marianne.state.rows import JobView
from marianne.version import version

if TYPE_CHECKING:
    from marianne.daemon.context import Context
    from marianne.replies.conductor import ConductorStatus
    from marianne.replies.job import Job, JobPage, SheetMap, Status
    from marianne.replies.reports import Output

OUTPUT_LIMIT = 1 << 20
"""Bytes of output in one answer at most."""


def summary(reader: Reader, job_id: str) -> Job:
    """A job without its sheets."""
    view = reader.view(job_id)
    if view is None:
        raise not_found(job_id)
    return wire.job_map(view.row, view.counts.progress())


def plan_of(reader: Reader, job_id: str) -> Plan:
    """The plan of a job. Refuses one that cannot be read, instead of ending whoever asks."""
    with readable_plan(job_id):
        return unpack_plan(reader.plan(job_id))


@contextmanager
def readable_plan(job_id: str) -> Iterator[None]:
    """Refuses a plan that cannot be read."""
    try:
        yield
    except PlanFormatError as error:
        raise Refused(
            "internal",
            f"the stored plan of job {job_id} cannot be read: {error}",
            hint="submit its score again under another id",
        ) from None


def status(reader: Reader, job_id: str, first: int, last: int) -> Status:
    """A job with its sheets ``first`` to ``last`` (1-based)."""
    top = summary(reader, job_id)
    with readable_plan(job_id):
        sheets = unpack_sheets(reader.plan(job_id), first, last)
    rows = {row.num: row for row in reader.sheets(job_id, first, last)}
    rows |= _needed(reader, job_id, sheets, rows)
    return {**top, "sheets": wire.sheet_maps(sheets, rows)}


def _needed(
    reader: Reader, job_id: str, sheets: Iterable[SheetPlan], known: Mapping[int, SheetRow]
) -> dict[int, SheetRow]:
    """The rows, beside the known ones, that say whether one of the pending sheets is ready: of a
    job of 100,000 sheets to read all takes most of a second."""
    pending = (
        sheet
        for sheet in sheets
        if sheet.num not in known or known[sheet.num].status is SheetStatus.PENDING
    )
    needs = {num for sheet in pending for num in sheet.needs}.difference(known)
    if not needs:
        return {}
    found = reader.sheets(job_id, min(needs), max(needs))
    return {row.num: row for row in found if row.num in needs}


def sheet_map(reader: Reader, job_id: str) -> SheetMap:
    """A job with one letter for each of its sheets."""
    top = summary(reader, job_id)
    states = wire.states(top["progress"]["total"], reader.sheet_statuses(job_id))
    return {**top, "states": bytes(states)}


def page(reader: Reader, only: JobFilter, limit: int, cursor: int | None) -> JobPage:
    """Jobs at a glance, newest first: ``jobs``, ``cursor`` (None at the end) and ``total``."""
    found = reader.jobs(only, limit=limit, cursor=cursor)
    return {
        "jobs": [wire.job_map(view.row, view.counts.progress()) for view in found.jobs],
        "cursor": found.cursor,
        "total": sum(reader.statuses(only).values()),
    }


def every_job(reader: Reader, statuses: Iterable[JobStatus]) -> Iterator[JobView]:
    """All jobs in these statuses, newest first, page by page."""
    only = JobFilter(frozenset(statuses))
    cursor: int | None = None
    while True:
        page = reader.jobs(only, limit=500, cursor=cursor)
        yield from page.jobs
        cursor = page.cursor
        if cursor is None:
            return


def daemon_status(context: Context, running: int, active: int) -> ConductorStatus:
    """DaemonStatus as a map, and what else ``conductor-status`` shows. ``running`` jobs are
    admitted, ``active`` ones are not over.

    ``disk`` counts bytes and rows of the state; ``files_bytes`` is what the jobs' directories held
    at the housekeeper's last look. ``storage`` is ok, or why the state cannot be written.
    """
    resources = context.resources
    problem = context.storage.words()
    with Reader(context.home.db) as reader:
        size = reader.size()
    there = os.statvfs(context.home.path)
    face = context.face
    return {
        "pid": os.getpid(),
        "uptime_seconds": round(face.uptime_seconds, 1),
        "running_jobs": running,
        "total_jobs_active": active,
        "memory_usage_mb": round(resources.current_memory_mb() or 0.0, 1),
        "version": version(),
        "heart_pid": context.heart_pid,
        "ready": resources.is_accepting_work() and context.stop.mode is None and problem is None,
        "pressure": str(context.backpressure.current_level()),
        "current_delay": context.backpressure.current_delay,
        "disk": {
            **size,
            "files_bytes": context.storage.files_bytes,
            "free_bytes": there.f_bavail * there.f_frsize,
        },
        "storage": problem or "ok",
        "home": str(context.home.path),
        "executor": context.config.executor,
        "nodes": context.executor.summary(),
        "shutting_down": face.shutting_down,
        "active_sheets": face.active_job_count,
        "failure_rate_elevated": face.failure_rate_elevated,
        "notifications_degraded": face.notifications_degraded,
        "traces": traces_sent(context),
    }


def clearable(
    reader: Reader,
    statuses: Sequence[str] | None,
    older_than_seconds: float | None,
    job_ids: Sequence[str] | None,
    now: float,
) -> list[str]:
    """Ids of finished jobs that the selection means; all finished ones without a selection."""
    wanted = {JobStatus(s) for s in statuses} if statuses else TERMINAL_JOB
    chosen, named = [], set(job_ids or ())
    for view in every_job(reader, wanted & TERMINAL_JOB):
        row = view.row
        old = older_than_seconds is None or (row.finished_at or now) <= now - older_than_seconds
        if old and (not named or row.job_id in named):
            chosen.append(row.job_id)
    return chosen


def output(
    reader: Reader,
    directory: Path,
    job_id: str,
    sheet: int | None,
    attempt: int | None,
    stream: str,
    offset: int,
    limit: int,
    follow: bool = False,
    plain: bool = False,
) -> Output:
    """A piece of what a sheet printed (``out``, ``err``) or was given (``prompt``). Unless
    ``plain``, what bash says of a script names the lines of the score.

    ``sheet`` None is the last started one that printed something (with ``follow`` also one that
    runs: it may yet), else the last that started; ``attempt`` None is its latest.
    """
    view = reader.view(job_id)
    if view is None:
        raise not_found(job_id)
    if sheet is None:
        begun = [row for row in reader.sheets(job_id) if row.attempt > 0]
        if not begun:
            raise Refused("not_found", f"no sheet of {job_id} has started yet")
        sheet = _last_to_tell(begun, directory, attempt, stream, follow)
    if not 1 <= sheet <= view.row.sheet_count:
        raise Refused(
            "not_found", f"job {job_id} has sheets 1 to {view.row.sheet_count}, not {sheet}"
        )
    row = next(iter(reader.sheets(job_id, sheet, sheet)), None)
    latest = row.attempt if row else 0
    if attempt is None:
        attempt = latest
    if attempt == 0 or attempt > latest:
        over = row is not None and row.status.terminal
        raise Refused(
            "not_found" if over or attempt > latest else "conflict",
            f"sheet {sheet} of {job_id} has not started"
            + (f" attempt {attempt}" if attempt else " yet"),
        )
    path = directory / "sheets" / f"{sheet}.{attempt}.{stream}"
    data, size = _piece(path, offset, min(limit, OUTPUT_LIMIT))
    running = row is not None and attempt == latest and str(row.status) == "running"
    after = offset + len(data)
    if stream == "err" and not plain:
        prompt = path.with_suffix(".prompt")
        data = readable(data, prompt, sheet, lambda: plan_of(reader, job_id))
    return {
        "job_id": job_id,
        "sheet": sheet,
        "attempt": attempt,
        "path": str(path),
        "offset": offset,
        "next_offset": after,
        "size": size,
        "data": data,
        "ended": not running,
    }


def _last_to_tell(
    begun: list[SheetRow], directory: Path, attempt: int | None, stream: str, follow: bool
) -> int:
    """The number of the sheet that :func:`output` shows when none is named."""
    begun.sort(key=lambda row: row.started_at or 0.0, reverse=True)
    told = (
        row
        for row in begun
        if (follow and row.status is SheetStatus.RUNNING)
        or _size(directory / "sheets" / f"{row.num}.{attempt or row.attempt}.{stream}")
    )
    return next(told, begun[0]).num


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _piece(path: Path, offset: int, limit: int) -> tuple[bytes, int]:
    """A piece of the file and the file's size. What is no file has nothing; a program may have put
    something else in its place."""
    try:
        # Without O_NONBLOCK the open of a pipe would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENXIO):  # ENXIO: a socket
            raise
        return b"", 0
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b"", 0
        # Of an offset near 2**63 the kernel says that it is none.
        size = os.fstat(descriptor).st_size
        data = os.pread(descriptor, limit, offset) if offset < size else b""
        return data, os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
