"""Why a job, or a sheet of it, does not run now.

Three know a part: the manager whether the job is admitted, the job how far its sheets are, the
scheduler what stands between a ready sheet and its slot. Here the parts become one answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from actors import Future, Outcome, Promise
from marianne.daemon.job.actor import Job
from marianne.daemon.job.machine import CANNOT_BEGIN
from marianne.daemon.jobs.admission import Admission
from marianne.daemon.jobs.desk import Desk
from marianne.daemon.jobs.roster import Live
from marianne.daemon.services.scheduler import SchedulerActor
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.shared.start_delays import in_words
from marianne.daemon.views.diagnosis import paused
from marianne.schedule.entries import SchedulerStats
from marianne.state.models import JobRow, JobStatus

if TYPE_CHECKING:
    from marianne.replies.job import Sheet, Status
    from marianne.replies.reports import Explained, ExplainedSheet, Reason

SHEETS_EXPLAINED = 100
"""Sheets in one answer at most; ``more`` counts the rest."""

PAGE = 5_000
"""Sheets that are looked at together: of 100,000 a status is more than a message holds."""

NOT_SCHEDULED = frozenset({"unknown_job", "unknown_sheet"})

ENDED = frozenset({"completed", "failed", "skipped", "cancelled"})


class Explain:
    """``status`` asks for sheets of a job (its id, the first, the last), live or from disk;
    ``held`` says what a job that is queued waits for before it is in line."""

    def __init__(
        self,
        desk: Desk,
        admission: Admission,
        status: Callable[[str, int, int], Future[Status]],
        held: Callable[[Live], Reason | None],
    ) -> None:
        self._desk = desk
        self._context = desk.context
        self._live = desk.live
        self._admission = admission
        self._status = status
        self._held = held

    def job(self, job_id: str, sheet: int | None = None) -> Promise[Explained]:
        """Why the job, and each sheet of it that neither runs nor is over, does not run now.

        Returns ``job_id, status, code, text, data`` and ``sheets`` (``num, name, status, code,
        text, data``), at most 100 of them. With ``sheet`` only that one, whatever its state.
        Refuses with ``not_found``.
        """
        promise: Promise[Explained] = self._desk.turns.promise()
        self._look(job_id, sheet, 1, [], promise)
        return promise

    def _look(
        self,
        job_id: str,
        sheet: int | None,
        page: int,
        found: Sequence[Sheet],
        promise: Promise[Explained],
    ) -> None:
        first, last = (page, page + PAGE - 1) if sheet is None else (sheet, sheet)
        known = self._status(job_id, first, last)
        self._desk.turns.pipe(known, self.sheets_known, job_id, sheet, last + 1, found, promise)

    def sheets_known(
        self,
        outcome: Outcome[Status],
        job_id: str,
        sheet: int | None,
        after: int,
        found: Sequence[Sheet],
        promise: Promise[Explained],
    ) -> None:
        """The job's part is there; what is ready is the scheduler's to explain."""
        status = outcome.value
        if status is None:
            promise.fail(outcome.error or LookupError("no status"))
            return
        if sheet is not None and not status["sheets"]:
            total = status["progress"]["total"]
            promise.fail(Refused("not_found", f"job {job_id} has sheets 1 to {total}, not {sheet}"))
            return
        waiting = self._context.executor.waits(job_id)
        open_ = [
            *found,
            *(
                row
                for row in status["sheets"]
                if sheet is not None
                or row["num"] in waiting
                or row["status"] not in (*ENDED, "running")
            ),
        ]
        more = sheet is None and after <= status["progress"]["total"]
        if more and len(open_) < SHEETS_EXPLAINED:
            self._look(job_id, sheet, after, open_, promise)
            return
        if status["status"] in ("running", "cancelling"):
            kept: Future[Any] = self._context.job(job_id).call(Job.kept_back)
            self._desk.turns.pipe(kept, self.kept_back_known, job_id, status, open_, promise)
        else:
            self._ask_scheduler(job_id, status, open_, {}, promise)

    def kept_back_known(
        self,
        outcome: Outcome[dict[int, Reason]],
        job_id: str,
        status: Status,
        open_: Sequence[Sheet],
        promise: Promise[Explained],
    ) -> None:
        """The job told what it keeps back itself, or has just ended: then the rest is enough."""
        self._ask_scheduler(job_id, status, open_, outcome.value or {}, promise)

    def _ask_scheduler(
        self,
        job_id: str,
        status: Status,
        open_: Sequence[Sheet],
        kept: dict[int, Reason],
        promise: Promise[Explained],
    ) -> None:
        asked: Future[Any] = self._context.scheduler.call(
            SchedulerActor.explain_sheets,
            job_id,
            [row["num"] for row in open_[:SHEETS_EXPLAINED]],
        )
        self._desk.turns.pipe(asked, self.explained, job_id, status, open_, kept, promise)

    def explained(
        self,
        outcome: Outcome[tuple[dict[int, Reason], SchedulerStats]],
        job_id: str,
        status: Status,
        open_: Sequence[Sheet],
        kept: dict[int, Reason],
        promise: Promise[Explained],
    ) -> None:
        """All parts are there."""
        scheduled, stats = outcome.value or ({}, None)
        waiting = self._context.executor.waits(job_id)
        placed = {
            num: _reason("node", f"it waits for a node: {why}") for num, why in waiting.items()
        }
        reasons = {**scheduled, **kept, **placed}
        live = self._live.get(job_id)
        running = [other.row for other in self._live.values() if other.admitted]
        queued = [other.row for other in self._live.values() if other.waits]
        accepts = self._context.backpressure.should_accept_job()
        pressure = None if accepts else self._context.resources.in_words()
        pressure = self._context.storage.words() or pressure
        whole = job_reason(status, live.row if live else None, running, queued, pressure, stats)
        if whole["code"] == "pending" and live is not None:
            whole = self._admission.why_held(live)
        held = self._held(live) if live is not None else None
        if held is not None:
            whole = held
        elif live is not None and live.waits and self._context.stop.mode is not None:
            whole = _reason("stopping", "the conductor is to end; the next one lets it begin")
        delay = self._context.start_delays.of(job_id)
        if delay is not None and status["status"] not in ENDED:
            tries = {"tries": delay.tries, "why": delay.why}
            whole = _reason("start_delayed", in_words(delay, time.monotonic()), **tries)
        open_count = status["progress"]["pending"] if len(open_) >= SHEETS_EXPLAINED else 0
        promise.set(
            {
                "job_id": job_id,
                "status": status["status"],
                **whole,
                "sheets": [
                    sheet_reason(row, status["status"], whole, reasons.get(row["num"]))
                    for row in open_[:SHEETS_EXPLAINED]
                ],
                "more": max(0, open_count - SHEETS_EXPLAINED),
            }
        )


def job_reason(
    status: Status,
    row: JobRow | None,
    running: Sequence[JobRow],
    queued: Sequence[JobRow],
    pressure: str | None = None,
    stats: SchedulerStats | None = None,
) -> Reason:
    """Why the job as a whole stands where it stands: ``code``, ``text`` and ``data``.

    ``pressure`` is what there is too much of while no job is admitted for it; ``stats`` are the
    scheduler's figures of all jobs.
    """
    state, why = status["status"], status["reason"]
    if state in ENDED:
        told = f"it is over: {state}"
        return _reason("ended", f"{told} ({status['error']})" if status["error"] else told)
    match state:
        case "paused":
            known = paused(status["job_id"], why, status["error"])
            told = "; ".join(part for part in (known.cause, known.next) if part)
            return _reason("paused", f"it is paused: {told}", reason=why)
        case "pausing" if why == "now":
            known = paused(status["job_id"], why)
            return _reason("pausing", f"it is paused: {known.cause}; {known.next}", reason=why)
        case "pausing":
            return _reason("pausing", "it pauses when its running sheets have ended", reason=why)
        case "cancelling":
            counts = status["progress"]
            left = counts["running"] + counts["pending"]
            more = f"; sheets left: {left}, some may run after a cancel" if left else ""
            return _reason("cancelling", f"it is being cancelled{more}")
        case "queued" | "pending" if pressure is not None:
            return _reason("pressure", f"no job begins under this pressure: {pressure}")
        case "pending":
            return _reason("pending", "it waits for room")
        case "queued":
            before = sum(
                (other.priority, other.submitted_at) < (row.priority, row.submitted_at)
                for other in queued
                if row is not None and other.status is JobStatus.QUEUED
            )
            runs = "1 job runs" if len(running) == 1 else f"{len(running)} jobs run"
            text = f"{runs}, as many as may; {before} before it"
            return _reason("job_limit", text, running=len(running), before=before)
        case _:
            return _of_running(status, pressure, stats)


def _of_running(status: Status, pressure: str | None, stats: SchedulerStats | None) -> Reason:
    counts = status["progress"]
    text = f"it runs: {counts['running']} sheets now, {counts['pending']} to come"
    if pressure is not None and counts["pending"]:
        text += f"; none begins under this pressure: {pressure}"
    if stats is None:
        return _reason("running", text)
    data = {
        "active": stats.active,
        "queued": stats.queued,
        "max_concurrent": stats.max_concurrent,
        "slots": stats.per_job_running.get(status["job_id"], 0),
        "ready": stats.per_job_queued.get(status["job_id"], 0),
    }
    text += f"; of all jobs {stats.active} sheets run"
    text += f", scripts on at most {stats.max_concurrent} cpus"
    return _reason("running", text, **data)


def sheet_reason(
    row: Sheet,
    job_status: str,
    job: Reason,
    scheduled: Reason | None,
) -> ExplainedSheet:
    """Why a sheet does not run, or that it does."""
    why = _of_sheet(row, job_status, job, scheduled)
    return {"num": row["num"], "name": row["name"], "status": row["status"], **why}


def _of_sheet(row: Sheet, job_status: str, job: Reason, scheduled: Reason | None) -> Reason:
    error = row["error"]
    if row["status"] in ENDED:
        told = f"it is over: {row['status']}" + (f" on node {row['node']}" if row["node"] else "")
        text = f"{told} ({error['message']})" if error and error["message"] else told
        return _reason("ended", text)
    if row["status"] == "running" and (scheduled is None or scheduled["code"] != "node"):
        node = row["node"]
        return _reason("running", f"it runs on node {node}", node=node) if node else _RUNS
    if row["status"] == "running" and scheduled is not None:
        return scheduled
    if row["status"] == "waiting" and error and error["category"] in CANNOT_BEGIN:
        text = f"the machine could not play it ({error['message']}); again {row['due_at']}"
        return _reason("start_delayed", text, until=row["due_at"])
    if row["status"] == "waiting":
        limited = error is not None and error["category"] == "rate_limit"
        why = f"{row['instrument']} is rate limited" if limited else "a retry delay passes"
        code = "rate_limited" if limited else "retry_delay"
        return _reason(code, f"{why}; due {row['due_at']}", until=row["due_at"])
    queued = scheduled is not None and scheduled["code"] not in NOT_SCHEDULED
    if job_status == "cancelling" and scheduled is not None and queued:
        return scheduled
    if job_status != "running" or job["code"] == "start_delayed":
        return _reason(f"job_{job_status}", f"its job does not run: {job['text']}")
    if scheduled is None:
        return _reason("starting", "the scheduler has not heard of it yet")
    return scheduled


def _reason(code: str, text: str, **data: Any) -> Reason:
    return {"code": code, "text": text, "data": data}


_RUNS = _reason("running", "it runs")
