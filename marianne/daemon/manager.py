"""The manager of all jobs: who comes in, who is admitted, what became of them.

It owns the jobs that are not admitted: queued, paused and finished ones are rows. An admitted
job's state is its job actor's. The manager starts and watches the jobs' supervisors; a job whose
actors gave up is ended here.

What a restart finds: submitted, not admitted: queued again by its row; admitted, not started:
started; started: found alive by its name and watched again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from actors import Future, Outcome, Promise
from marianne.daemon import queries, submission
from marianne.daemon.admission import Admission, Live
from marianne.daemon.context import Context
from marianne.daemon.effects import Step
from marianne.daemon.job import Job
from marianne.daemon.log import get_logger
from marianne.daemon.parser import Parsed, Parser
from marianne.daemon.reaper import remove_files
from marianne.daemon.refusal import Refused, not_found
from marianne.state.changes import AddEvent, Change, DeleteJob, UpdateJob
from marianne.state.models import JobStatus

if TYPE_CHECKING:
    from marianne.daemon.types import JobRequest

log = get_logger(__name__)


class JobManager(Admission):
    """All jobs of a conductor. Every method may be called through a handle from any thread.

    A method that returns a Promise answers when its change is on disk. Refusals are raised as
    :class:`~marianne.daemon.refusal.Refused`.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._naming: set[str] = set()

    # -- coming in ------------------------------------------------------------------------------

    def submit_job(
        self, request: JobRequest, request_id: str | None = None
    ) -> Promise[dict[str, Any]]:
        """Takes a job in: reads its score, gives it an id, commits it, admits it if there is room.

        Answers a JobResponse as a map (plus ``warnings``; a dry run adds ``plan`` and leaves no
        trace). Refuses with ``invalid_score``, ``conflict``, ``pressure`` or ``shutting_down``.
        ``request_id`` lets a resent request find its answer.
        """
        if self._context.stop.mode is not None:
            raise Refused("shutting_down", "the conductor is shutting down")
        promise: Promise[dict[str, Any]] = self.promise()
        parsed: Future[Any] = self._context.parser.within(90.0).call(
            Parser.load, submission.parse_request(request, self._context.home)
        )
        self.pipe(parsed, self.parsed, request, request_id, promise)
        return promise

    def parsed(
        self,
        outcome: Outcome[Parsed],
        request: JobRequest,
        request_id: str | None,
        promise: Promise[dict[str, Any]],
    ) -> None:
        """A score was read: name the job and commit it."""
        if outcome.error is not None:
            promise.fail(outcome.error)
            return
        parsed = outcome.value
        assert parsed is not None
        if request.dry_run:
            promise.set(submission.dry_run_response(parsed))
            return
        try:
            job_id = submission.choose_id(request, parsed, self._reader, self._naming)
        except Refused as refusal:
            promise.fail(refusal)
            return
        now = time.time()
        row = submission.new_row(job_id, request, parsed, now)
        admitted = self._room() > 0
        if admitted:
            row.status, row.started_at = JobStatus.RUNNING, now
        reply = submission.response(row, parsed)
        changes = submission.changes(row, request, parsed, reply, request_id, now)
        if admitted:
            changes.append(AddEvent(job_id, None, "job.started", {}, now))
        self._naming.add(job_id)
        self._live[job_id] = Live(row, actor=admitted)
        self.pipe(self._write(changes), self.submitted, job_id, reply, promise)

    def submitted(
        self,
        outcome: Outcome[Any],
        job_id: str,
        reply: dict[str, Any],
        promise: Promise[dict[str, Any]],
    ) -> None:
        """A new job is on disk: acknowledge it and let it go."""
        self._naming.discard(job_id)
        if outcome.error is not None:
            del self._live[job_id]
            promise.fail(outcome.error)
            return
        promise.set(reply)
        if self._live[job_id].actor:
            self._start_actors(job_id)

        # Else the supervisor of all jobs is being restarted, and so are we, next.

    # -- a person's wishes ----------------------------------------------------------------------

    def pause_job(self, job_id: str) -> Promise[dict[str, Any]]:
        """Pauses a job: running sheets finish, nothing new starts. Answers its status.

        Refuses with ``conflict`` when it is paused or over, ``not_found`` when unknown.
        """
        live = self._live_job(job_id)
        promise: Promise[dict[str, Any]] = self.promise()
        if live.actor:
            asked = self._context.job(job_id).call(Job.pause, "person")
            self.pipe(asked, self.wished, job_id, promise)
        elif live.row.status is JobStatus.PAUSED:
            raise Refused("conflict", f"job {job_id} is paused already", hint="resume it, or wait")
        else:
            self._set(live, JobStatus.PAUSED, "person", "job.paused", promise)
        return promise

    def resume_job(self, job_id: str) -> Promise[dict[str, Any]]:
        """Lets a paused job go on, and runs a failed or cancelled one's unfinished sheets again.

        Completed sheets stay. Refuses with ``conflict`` when it runs or is completed.
        """
        promise: Promise[dict[str, Any]] = self.promise()
        live = self._live.get(job_id)
        if live is not None and live.actor:
            asked = self._context.job(job_id).call(Job.resume)
            self.pipe(asked, self.resumed, job_id, promise)
        elif live is not None and live.row.status is not JobStatus.PAUSED:
            raise Refused("conflict", f"job {job_id} is {live.row.status}: nothing to resume")
        elif live is not None:
            self._set(live, JobStatus.QUEUED, None, "job.resumed", promise)
        else:
            self._again(job_id, None, promise)
        return promise

    def resumed(
        self, outcome: Outcome[JobStatus], job_id: str, promise: Promise[dict[str, Any]]
    ) -> None:
        """An admitted job was asked to resume; only one that was pausing could."""
        if outcome.ok and outcome.value is None:
            promise.fail(Refused("conflict", f"job {job_id} is running: nothing to resume"))
        else:
            self.wished(outcome, job_id, promise)

    def retry_job(
        self, job_id: str, sheets: Sequence[int] | None = None
    ) -> Promise[dict[str, Any]]:
        """Runs failed sheets of a finished job again, with what depends on them.

        ``sheets`` None means all that did not complete. Refuses with ``conflict`` while it lives.
        """
        if job_id in self._live:
            raise Refused(
                "conflict", f"job {job_id} is not over", hint="wait for it, or cancel it first"
            )
        promise: Promise[dict[str, Any]] = self.promise()
        self._again(job_id, sheets, promise)
        return promise

    def cancel_job(self, job_id: str) -> Promise[dict[str, Any]]:
        """Cancels a job; answers when no process of it is left. Refuses when it is over."""
        live = self._live_job(job_id)
        promise: Promise[dict[str, Any]] = self.promise()
        if live.actor:
            live.waiters.append(promise)
            self._ask_to_cancel(job_id)
        else:
            step = self._machine(job_id).cancel(time.time())
            self.pipe(self._write(step.changes), self.cancelled, job_id, promise)
        return promise

    def _ask_to_cancel(self, job_id: str) -> None:
        self.pipe(self._context.job(job_id).call(Job.cancel), self.cancel_heard, job_id)

    def cancel_heard(self, outcome: Outcome[JobStatus], job_id: str) -> None:
        """The job actor cancels; one that is not there yet, or restarting, is asked again."""
        live = self._live.get(job_id)
        if outcome.error is not None and live is not None and live.actor:
            self.send_after(0.1, self._ask_to_cancel, job_id)

    def cancelled(
        self, outcome: Outcome[Any], job_id: str, promise: Promise[dict[str, Any]] | None
    ) -> None:
        """The cancelling of a job without actors is on disk."""
        if outcome.error is not None:
            raise outcome.error
        if promise is not None:
            self._live[job_id].waiters.append(promise)
        self._over(job_id)

    def clear_jobs(
        self,
        statuses: Sequence[str] | None = None,
        older_than_seconds: float | None = None,
        job_ids: Sequence[str] | None = None,
    ) -> Promise[dict[str, Any]]:
        """Deletes finished jobs, their history and their files; workspaces are left alone.

        ``older_than_seconds`` counts from the job's end. Answers ``{"deleted": n, "jobs": ids}``.
        A live job that is named is a ``conflict``; nothing is deleted then.
        """
        for job_id in job_ids or ():
            if job_id in self._live:
                raise Refused("conflict", f"job {job_id} is not over", hint="cancel it first")
        chosen = queries.clearable(self._reader, statuses, older_than_seconds, job_ids, time.time())
        promise: Promise[dict[str, Any]] = self.promise()
        written = self._write([DeleteJob(job_id) for job_id in chosen])
        self.pipe(written, self.cleared, chosen, promise)
        return promise

    def cleared(
        self, outcome: Outcome[Any], chosen: Sequence[str], promise: Promise[dict[str, Any]]
    ) -> None:
        """The rows are gone; the files follow (a start removes files without a row)."""
        if outcome.error is not None:
            promise.fail(outcome.error)
            return
        remove_files(self._context, chosen)
        promise.set({"deleted": len(chosen), "jobs": list(chosen)})

    def wait_job(self, job_id: str) -> Promise[dict[str, Any]]:
        """Answers the job without its sheets once it is over; a paused job is waited for."""
        promise: Promise[dict[str, Any]] = self.promise()
        live = self._live.get(job_id)
        if live is not None:
            live.waiters.append(promise)
        else:
            promise.set(queries.summary(self._reader, job_id))
        return promise

    def get_job_status(
        self, job_id: str, first: int = 1, last: int = 5_000
    ) -> Promise[dict[str, Any]]:
        """The job with its sheets ``first`` to ``last`` (1-based), live or from disk."""
        promise: Promise[dict[str, Any]] = self.promise()
        live = self._live.get(job_id)
        if live is not None and live.actor:
            asked = self._context.job(job_id).call(Job.status, first, last)
            self.pipe(asked, self.status_known, job_id, first, last, promise)
        else:
            promise.set(queries.status(self._reader, job_id, first, last))
        return promise

    def status_known(
        self,
        outcome: Outcome[dict[str, Any]],
        job_id: str,
        first: int,
        last: int,
        promise: Promise[dict[str, Any]],
    ) -> None:
        """A job actor told its status; one that is being restarted is read from disk."""
        if outcome.ok and outcome.value is not None:
            promise.set(outcome.value)
        else:
            promise.set(queries.status(self._reader, job_id, first, last))

    @property
    def running_count(self) -> int:
        """Admitted jobs."""
        return sum(live.actor for live in self._live.values())

    def counts(self) -> dict[str, int]:
        """How many jobs are admitted and how many are not over at all."""
        return {"running_jobs": self.running_count, "total_jobs_active": len(self._live)}

    def get_daemon_status(self) -> dict[str, Any]:
        """DaemonStatus as a map, with heart_pid, ready, pressure, disk (bytes) and home."""
        return queries.daemon_status(self._context, self.counts())

    def cancel_all(self) -> Promise[None]:
        """Cancels every job that is not over; answers when the last one is."""
        promise: Promise[None] = self.promise()
        self._when_empty.append(promise)
        for job_id, live in list(self._live.items()):
            if live.actor:
                self._ask_to_cancel(job_id)
            else:
                step = self._machine(job_id).cancel(time.time())
                self.pipe(self._write(step.changes), self.cancelled, job_id, None)
        self._tell_empty()
        return promise

    # -- small parts ----------------------------------------------------------------------------

    def wished(
        self, outcome: Outcome[JobStatus], job_id: str, promise: Promise[dict[str, Any]]
    ) -> None:
        """A job actor did as asked, or is being restarted (the client asks again)."""
        if outcome.error is not None:
            promise.fail(outcome.error)
        else:
            promise.set({"job_id": job_id, "status": str(outcome.value)})

    def _set(
        self,
        live: Live,
        status: JobStatus,
        reason: str | None,
        event: str,
        promise: Promise[dict[str, Any]],
    ) -> None:
        job_id = live.row.job_id
        live.row.status, live.row.reason = status, reason
        changes: list[Change] = [
            UpdateJob(job_id, {"status": status, "reason": reason}),
            AddEvent(job_id, None, event, {"reason": reason}, time.time()),
        ]
        self.pipe(self._write(changes), self.was_set, job_id, status, promise)

    def was_set(
        self,
        outcome: Outcome[Any],
        job_id: str,
        status: JobStatus,
        promise: Promise[dict[str, Any]],
    ) -> None:
        """A row's new status is on disk."""
        if outcome.error is not None:
            raise outcome.error
        promise.set({"job_id": job_id, "status": str(status)})
        self._admit()

    def _again(
        self, job_id: str, sheets: Sequence[int] | None, promise: Promise[dict[str, Any]]
    ) -> None:
        machine = self._machine(job_id)
        job = machine.job
        if job.status is JobStatus.COMPLETED and sheets is None:
            raise Refused("conflict", f"job {job_id} is completed: nothing to run again")
        step: Step = machine.reset(sheets, time.time())
        job.status, job.finished_at, job.error = JobStatus.QUEUED, None, None
        fields = {"status": job.status, "finished_at": None, "error": None, "reason": None}
        changes: list[Change] = [*step.changes, UpdateJob(job_id, fields, asked=True)]
        changes.append(AddEvent(job_id, None, "job.resumed", {"reason": "retry"}, time.time()))
        self._live[job_id] = Live(job)
        self.pipe(self._write(changes), self.was_set, job_id, job.status, promise)

    def _live_job(self, job_id: str) -> Live:
        live = self._live.get(job_id)
        if live is not None:
            return live
        row = self._reader.job(job_id)
        if row is None:
            raise not_found(job_id)
        raise Refused("conflict", f"job {job_id} is {row.status} already")
