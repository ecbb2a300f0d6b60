"""What a person asks of jobs: pause, resume, retry, cancel, clear.

The part of the job manager between admission and coming in; see :mod:`marianne.daemon.jobs.actor`.
An admitted job's actor does what is wished; any other job is a row, which is changed here. Each
answer comes when the change is on disk, and the reply with it
(:mod:`marianne.daemon.shared.idempotency`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec

from actors import Future, Outcome, Promise
from marianne.clock import earliest
from marianne.daemon.job.actor import Job
from marianne.daemon.jobs.admission import LOOK_AGAIN, Admission
from marianne.daemon.jobs.job_life import Life
from marianne.daemon.jobs.roster import Live
from marianne.daemon.shared.idempotency import Answer
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.refusal import Refused, not_found
from marianne.daemon.shared.unforeseen import refusal_of
from marianne.daemon.views import queries
from marianne.daemon.worker.orphans import remove_files
from marianne.state.changes import AddEvent, Change, DeleteJob, UpdateJob
from marianne.state.models import JobStatus
from marianne.state.transitions import move

P = ParamSpec("P")
log = get_logger(__name__)


class Commands(Admission):
    """The verbs that change jobs. Every method may be called through a handle from any thread.

    ``request_id`` lets a resent request find its answer.
    """

    def pause_job(self, job_id: str, request_id: str | None = None) -> Promise[dict[str, Any]]:
        """Pauses a job: running sheets finish, nothing new starts. Answers its status.

        Refuses with ``conflict`` when it is paused or over, ``not_found`` when unknown.
        """
        return self._once(request_id, self._pause, job_id)

    def retry_job(
        self, job_id: str, sheets: Sequence[int] | None = None, request_id: str | None = None
    ) -> Promise[dict[str, Any]]:
        """Runs sheets of a finished job again, with what depends on them.

        ``sheets`` None means all that did not complete. What a named one needs and did not
        complete runs again too: ``also`` in the answer, and ``message`` says so. Refuses with
        ``conflict`` while the job lives, ``not_found`` for a sheet that it does not have.
        """
        return self._once(request_id, self._retry, job_id, sheets)

    def cancel_job(self, job_id: str, request_id: str | None = None) -> Promise[dict[str, Any]]:
        """Cancels a job; answers when no process of it is left. Refuses when it is over.

        What is remembered is that the job was cancelled: a resent request waits like the first.
        """
        live = self._live.get(job_id)
        if request_id is not None and self._reader.reply(request_id) is not None:
            promise: Promise[dict[str, Any]] = self.promise()
            row = self._reader.job(job_id)
            if live is not None and row is not None and row.status is JobStatus.CANCELLING:
                live.waiters.append(promise)
            else:
                promise.set(queries.summary(self._reader, job_id))
            return promise
        return self._once(request_id, self._cancel, job_id)

    def clear_jobs(
        self,
        statuses: Sequence[str] | None = None,
        older_than_seconds: float | None = None,
        job_ids: Sequence[str] | None = None,
        request_id: str | None = None,
    ) -> Promise[dict[str, Any]]:
        """Deletes finished jobs, their history and their files; workspaces are left alone.

        ``older_than_seconds`` counts from the job's end. Answers ``{"deleted": n, "jobs": ids}``.
        A live job that is named is a ``conflict``; nothing is deleted then.
        """
        return self._once(request_id, self._clear, statuses, older_than_seconds, job_ids)

    def _once(
        self,
        request_id: str | None,
        act: Callable[Concatenate[Answer, P], None],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Promise[dict[str, Any]]:
        promise: Promise[dict[str, Any]] = self.promise()
        answer: Answer | None = None
        try:
            answer = self._requests.open(request_id, promise)
            if answer is not None:
                self._context.storage.check()
                act(answer, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - see marianne.daemon.shared.unforeseen
            (answer or promise).fail(refusal_of(error))
        return promise

    # -- pause and resume -----------------------------------------------------------------------

    def _pause(self, answer: Answer, job_id: str) -> None:
        live = self._live_job(job_id)
        if live.life is Life.DELAYED:
            self._set_delayed(live, JobStatus.PAUSING, "person", answer)
        elif live.admitted:
            job = self._context.job(job_id).within(None)
            asked: Future[Any] = job.call(Job.pause, "person", answer.request_id)
            self.pipe(asked, self.answered, answer)
        elif live.row.status is JobStatus.PAUSED:
            raise Refused("conflict", f"job {job_id} is paused already", hint="resume it, or wait")
        else:
            self._set(live, JobStatus.PAUSED, "person", "job.paused", answer)

    def _resume(self, answer: Answer, job_id: str) -> None:
        live = self._live.get(job_id)
        if live is None:
            self._again(answer, job_id, None)
            return
        check_sure(live)
        if live.life is Life.DELAYED:
            self._set_delayed(live, JobStatus.RUNNING, None, answer)
        elif live.admitted:
            job = self._context.job(job_id).within(None)
            asked: Future[Any] = job.call(Job.resume, answer.request_id)
            self.pipe(asked, self.answered, answer)
        elif live.row.status is not JobStatus.PAUSED:
            raise Refused("conflict", f"job {job_id} is {live.row.status}: nothing to resume")
        else:
            self._set(live, JobStatus.QUEUED, None, "job.resumed", answer)

    def answered(self, outcome: Outcome[dict[str, Any]], answer: Answer) -> None:
        """A job actor did as asked, or is being restarted (the client asks again)."""
        if outcome.error is not None:
            answer.fail(outcome.error)
        else:
            answer.set(outcome.value)

    def _set(
        self,
        live: Live,
        status: JobStatus,
        reason: str | None,
        event: str,
        answer: Answer,
        **fields: Any,
    ) -> None:
        check_sure(live)
        job_id, reply = live.row.job_id, {"job_id": live.row.job_id, "status": str(status)}
        move(live.row, status)
        live.row.reason, live.row.crashes = reason, 0
        fields |= {"status": status, "reason": reason, "crashes": 0}
        changes: list[Change] = [
            UpdateJob(job_id, fields),
            AddEvent(job_id, None, event, {"reason": reason}, time.time()),
            *answer.remember(reply),
        ]
        self._live.change(live)
        self.pipe(self._ask_to_write(changes), self.was_set, job_id, reply, answer)

    def _set_delayed(
        self, live: Live, status: JobStatus, reason: str | None, answer: Answer
    ) -> None:
        """Changes the row of a job whose actors cannot be started yet: they will find it."""
        job_id = live.row.job_id
        row = self._reader.job(job_id) or live.row
        if row.status not in (JobStatus.RUNNING, JobStatus.PAUSING):
            raise Refused("conflict", f"job {job_id} is {row.status}")
        if row.status is status:
            raise Refused("conflict", f"job {job_id} is {row.status} already")
        self._drop_entry(job_id)  # it holds the row as it was
        fields = {"status": status, "reason": reason, "crashes": 0}
        reply = {"job_id": job_id, "status": str(status)}
        changes: list[Change] = [UpdateJob(job_id, fields), *answer.remember(reply)]
        if status is JobStatus.RUNNING:
            changes.append(AddEvent(job_id, None, "job.resumed", {"reason": None}, time.time()))
        self._live.change(live)
        self.pipe(self._ask_to_write(changes), self.was_set, job_id, reply, answer)

    def was_set(
        self, outcome: Outcome[Any], job_id: str, reply: dict[str, Any], answer: Answer
    ) -> None:
        """A row's new status is on disk."""
        self._live.decided(job_id)
        if outcome.error is not None:
            self._back_to_disk(job_id)
            answer.fail(outcome.error)
        else:
            answer.set(reply)
        self._admit()

    # -- retry ----------------------------------------------------------------------------------

    def _retry(self, answer: Answer, job_id: str, sheets: Sequence[int] | None) -> None:
        self._check_over(job_id)
        self._again(answer, job_id, sheets)

    def _again(self, answer: Answer, job_id: str, sheets: Sequence[int] | None) -> None:
        machine = self._machine(job_id)
        job = machine.job
        if job.status is JobStatus.COMPLETED and sheets is None:
            raise Refused("conflict", f"job {job_id} is completed: nothing to run again")
        count = len(machine.plan.sheets)
        for num in sheets or ():
            if not 1 <= num <= count:
                raise Refused("not_found", f"job {job_id} has sheets 1 to {count}, not {num}")
        also = sorted(machine.unmet(sheets or ()))
        step = machine.reset(sheets, time.time())
        move(job, JobStatus.QUEUED, asked=True)
        job.finished_at, job.error, job.crashes = None, None, 0
        job.options = {**job.options, "ran_seconds": 0.0}
        fields = {"status": job.status, "finished_at": None, "error": None, "reason": None}
        reply: dict[str, Any] = {"job_id": job_id, "status": str(job.status)}
        if also:
            named = ", ".join(f"{num} ({machine.plan.sheets[num - 1].name})" for num in also[:5])
            more = f" and {len(also) - 5} more" if len(also) > 5 else ""
            reply |= {"also": also, "message": f"goes on; needed, so run again too: {named}{more}"}
        changes: list[Change] = [
            *step.changes,
            UpdateJob(job_id, {**fields, "crashes": 0, "options": job.options}, asked=True),
            AddEvent(job_id, None, "job.resumed", {"reason": "retry"}, time.time()),
            *answer.remember(reply),
        ]
        self._live[job_id] = Live(job, unsure=True)
        self.pipe(self._ask_to_write(changes), self.was_set, job_id, reply, answer)

    # -- cancel ---------------------------------------------------------------------------------

    def _cancel(self, answer: Answer, job_id: str) -> None:
        self._cancel_live(self._live_job(job_id), answer)

    def _cancel_live(self, live: Live, answer: Answer | None) -> None:
        job_id = live.row.job_id
        if live.unsure:
            self.send_after(LOOK_AGAIN, self.cancel_again, job_id, answer)
        elif live.life is Life.DELAYED:
            self._drop_entry(job_id)
            self._end_without_actors(job_id, None)
            if answer is not None:
                live.cancels.append(answer)
        elif live.admitted:
            self._ask_to_cancel(job_id, answer)
        else:
            self._cancel_row(job_id, answer)

    def cancel_again(self, job_id: str, answer: Answer | None) -> None:
        """What kept a job from being cancelled may be decided by now."""
        live = self._live.get(job_id)
        if live is not None:
            self._cancel_live(live, answer)
        elif answer is not None:
            answer.set(queries.summary(self._reader, job_id))

    def _cancel_row(self, job_id: str, answer: Answer | None) -> None:
        changes = list(self._machine(job_id).cancel(time.time()).changes)
        live = self._live[job_id]
        move(live.row, JobStatus.CANCELLED)
        self._live.change(live)
        if answer is not None:
            reply = {"job_id": job_id, "status": str(JobStatus.CANCELLED)}
            changes += answer.remember(reply)
        self.pipe(self._ask_to_write(changes), self.cancelled, job_id, answer)

    def _ask_to_cancel(self, job_id: str, answer: Answer | None) -> None:
        request_id = answer.request_id if answer is not None else None
        asked: Future[Any] = self._context.job(job_id).within(None).call(Job.cancel, request_id)
        self.pipe(asked, self.cancel_heard, job_id, answer)

    def cancel_heard(
        self, outcome: Outcome[dict[str, Any]], job_id: str, answer: Answer | None
    ) -> None:
        """The job is being cancelled: whoever asked waits for its end.

        A job actor that is not there yet, or restarting, is asked again if nobody else will.
        """
        live = self._live.get(job_id)
        if outcome.error is None:
            if answer is not None and live is not None:
                live.cancels.append(answer)
            elif answer is not None:
                answer.set(queries.summary(self._reader, job_id))
        elif isinstance(outcome.error, Refused) and answer is not None:
            answer.fail(outcome.error)
        elif live is not None and live.admitted:
            self.send_after(LOOK_AGAIN, self.cancel_again, job_id, answer)
        elif answer is not None:
            answer.fail(outcome.error)

    def cancelled(self, outcome: Outcome[Any], job_id: str, answer: Answer | None) -> None:
        """The cancelling of a job without actors is on disk."""
        self._live.decided(job_id)
        if outcome.error is not None:
            self._back_to_disk(job_id)
            if answer is not None:
                answer.fail(outcome.error)
            return
        if answer is not None:
            self._live[job_id].cancels.append(answer)
        self._over(job_id)

    # -- clear ----------------------------------------------------------------------------------

    def _clear(
        self,
        answer: Answer,
        statuses: Sequence[str] | None,
        older_than_seconds: float | None,
        job_ids: Sequence[str] | None,
    ) -> None:
        for job_id in job_ids or ():
            self._check_over(job_id)
        chosen = queries.clearable(self._reader, statuses, older_than_seconds, job_ids, earliest())
        chosen = self._deletable(chosen)
        reply = {"deleted": len(chosen), "jobs": chosen}
        changes = [*(DeleteJob(job_id) for job_id in chosen), *answer.remember(reply)]
        self._clearing.update(chosen)
        self.pipe(self._ask_to_write(changes), self.cleared, reply, answer)

    def _deletable(self, job_ids: Sequence[str]) -> list[str]:
        return [one for one in job_ids if one not in self._live and one not in self._clearing]

    def cleared(self, outcome: Outcome[Any], reply: dict[str, Any], answer: Answer) -> None:
        """The rows are gone; the files follow (a start removes files without a row)."""
        self._clearing.difference_update(reply["jobs"])
        if outcome.error is not None:
            answer.fail(outcome.error)
            return
        remove_files(self._context, reply["jobs"])
        answer.set(reply)

    def forget_jobs(self, chosen: Sequence[str]) -> None:
        """Retention: deletes finished jobs that are too many."""
        gone = self._deletable(chosen)
        self._clearing.update(gone)
        changes = [DeleteJob(job_id) for job_id in gone]
        self.pipe(self._ask_to_write(changes), self.forgotten, gone)

    def forgotten(self, outcome: Outcome[Any], gone: Sequence[str]) -> None:
        """Their rows are gone (or stay until the next look); the files follow."""
        self._clearing.difference_update(gone)
        if outcome.error is None:
            remove_files(self._context, gone)
        else:
            log.warning("jobs_not_forgotten", error=repr(outcome.error))

    def forget_files(self, chosen: Sequence[str]) -> None:
        """Retention: removes the files of finished jobs, whose rows stay."""
        remove_files(self._context, [job_id for job_id in chosen if job_id not in self._live])

    # -- small parts ----------------------------------------------------------------------------

    def _live_job(self, job_id: str) -> Live:
        live = self._live.get(job_id)
        if live is not None:
            check_sure(live)
        if live is not None and (live.admitted or not live.row.status.terminal):
            return live
        row = live.row if live is not None else self._reader.job(job_id)
        if row is None:
            raise not_found(job_id)
        raise Refused("conflict", f"job {job_id} is {row.status} already")

    def _check_over(self, job_id: str) -> None:
        """Refuses a job that is not over, or whose hooks are not."""
        live = self._live.get(job_id)
        if live is None:
            return
        self._check_away(live)
        what = "its hooks are" if live.row.status.terminal else "it is"
        hint = f"`marianne wait {job_id}`, or cancel it first"
        raise Refused("conflict", f"job {job_id}: {what} not over", hint=hint)

    def _check_away(self, live: Live) -> None:
        """Refuses with ``unavailable`` a job whose end or pause is on disk, but that still has a
        place."""
        row = self._reader.job(live.row.job_id) if live.admitted else None
        if row is not None and (row.status.terminal or row.status is JobStatus.PAUSED):
            raise Refused("unavailable", f"job {row.job_id} is just being put away")

    def _back_to_disk(self, job_id: str) -> None:
        """A change did not come about: the job is what its row says."""
        row = self._reader.job(job_id)
        if row is None or row.status.terminal:
            self._live.pop(job_id, None)
        elif job_id in self._live:
            self._live[job_id].row = row


def check_sure(live: Live) -> None:
    """Refuses what is asked of a job whose last change is still on its way to the disk: asked
    again (as clients do by themselves) it finds it decided."""
    if live.unsure:
        raise Refused("unavailable", f"another change of job {live.row.job_id} is being written")
