"""What a person asks of a job: pause, resume, retry, another place in the line.

An admitted job's actor does what is wished; any other job is a row, which is changed here. Each
answer comes when the change is on disk, and the reply with it
(:mod:`marianne.daemon.shared.idempotency`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from actors import Future, Outcome
from marianne.daemon.job.actor import GOES_ON, Job
from marianne.daemon.job.aftermath import CUT_SHORT
from marianne.daemon.job.endings import MODIFY, PENDING
from marianne.daemon.jobs.admission import PRESSURE
from marianne.daemon.jobs.desk import Desk, check_sure
from marianne.daemon.jobs.following import ANEW
from marianne.daemon.jobs.job_life import Life
from marianne.daemon.jobs.roster import Live
from marianne.daemon.shared import next_steps
from marianne.daemon.shared.idempotency import Answer
from marianne.daemon.shared.part import used_by
from marianne.daemon.shared.refusal import Refused
from marianne.schedule.waits import Waits
from marianne.state.changes import AddEvent, Change, UpdateJob
from marianne.state.models import NOW, JobStatus
from marianne.state.transitions import move

if TYPE_CHECKING:
    from marianne.replies.changes import Changed, Modified, Retried

R = TypeVar("R")
C = TypeVar("C", bound="Changed")


class Commands:
    """``admit`` looks whom a change lets in."""

    def __init__(self, desk: Desk, admit: Callable[[], None]) -> None:
        self._desk = desk
        self._live = desk.live
        self._admit = admit

    # -- pause and resume -----------------------------------------------------------------------

    def pause(self, answer: Answer[Changed], job_id: str, now: bool = False) -> None:
        live = self._desk.live_job(job_id)
        reason = NOW if now else "person"
        context = self._desk.context
        used = used_by(live.row, context.config.executor)
        if now and (why := context.executor.cannot_hold(used)):
            raise Refused(
                "conflict",
                f"what runs of job {job_id} cannot be made to stand still: {why}",
                hint="without --now it is let finish, and nothing new starts",
            )
        if live.life is Life.DELAYED:
            self._set_delayed(live, JobStatus.PAUSING, reason, answer)
        elif live.admitted:
            job = self._desk.context.job(job_id).within(None)
            asked: Future[Any] = job.call(Job.pause, reason, answer.request_id)
            self._desk.turns.pipe(asked, self.answered, answer)
        elif live.row.status is JobStatus.PAUSED and live.row.reason != PRESSURE:
            go_on = next_steps.named("resume", job_id)
            raise Refused("conflict", f"job {job_id} is paused already", hint=f"{go_on} ends that")
        else:
            self.set(live, JobStatus.PAUSED, "person", "job.paused", answer)

    def resume(self, answer: Answer[Changed], job_id: str) -> None:
        live = self._live.get(job_id)
        if live is None:
            self.retry(answer, job_id, None)
            return
        check_sure(live)
        if live.life is Life.DELAYED:
            self._set_delayed(live, JobStatus.RUNNING, None, answer)
        elif live.admitted:
            job = self._desk.context.job(job_id).within(None)
            asked: Future[Any] = job.call(Job.resume, answer.request_id)
            self._desk.turns.pipe(asked, self.answered, answer)
        elif live.row.status is not JobStatus.PAUSED:
            if live.row.status.terminal:
                self._desk.check_over(job_id)
            raise Refused("conflict", f"job {job_id} is {live.row.status}: nothing to resume")
        else:
            reason = Waits.read(live.row.options).reason
            self.set(live, JobStatus.QUEUED, reason, "job.resumed", answer)

    def answered(self, outcome: Outcome[Any], answer: Answer[Any]) -> None:
        """A job actor did as asked, or is being restarted (the client asks again)."""
        if outcome.error is not None:
            answer.fail(outcome.error)
        else:
            answer.set(outcome.value)

    def set(
        self,
        live: Live,
        status: JobStatus,
        reason: str | None,
        event: str,
        answer: Answer[Changed],
        then: Callable[[Outcome[Any], str, Changed, Answer[Changed]], None] | None = None,
        **fields: Any,
    ) -> None:
        """Changes the row of a job without actors. ``then`` is told instead of :meth:`was_set`. An
        end is an event of its own: who follows the job waits for that."""
        check_sure(live)
        job_id = live.row.job_id
        reply: Changed = {"job_id": job_id, "status": str(status)}
        move(live.row, status)
        live.row.reason, live.row.crashes = reason, 0
        fields |= {"status": status, "reason": reason, "crashes": 0}
        now, told = time.time(), [event, *([f"job.{status}"] if status.terminal else ())]
        changes: list[Change] = [
            UpdateJob(job_id, fields),
            *(AddEvent(job_id, None, name, {"reason": reason}, now) for name in told),
            *answer.remember(reply),
        ]
        self._live.change(live)
        written = self._desk.ask_to_write(changes)
        self._desk.turns.pipe(written, then or self.was_set, job_id, reply, answer)

    def _set_delayed(
        self, live: Live, status: JobStatus, reason: str | None, answer: Answer[Changed]
    ) -> None:
        """Changes the row of a job whose actors cannot be started yet: they will find it."""
        job_id = live.row.job_id
        row = self._desk.reader.job(job_id) or live.row
        if row.status not in (JobStatus.RUNNING, JobStatus.PAUSING):
            raise Refused("conflict", f"job {job_id} is {row.status}")
        if row.status is status and row.reason == reason:
            raise Refused("conflict", f"job {job_id} is {row.status} already")
        if status is JobStatus.RUNNING and row.reason == "modify":
            raise Refused("conflict", GOES_ON.format(job_id))
        if status is JobStatus.RUNNING and self._desk.reader.meta(PENDING + job_id) is not None:
            status, reason = JobStatus.PAUSING, MODIFY
        self._desk.context.executor.unprepare(job_id)  # it holds the row as it was
        fields = {"status": status, "reason": reason, "crashes": 0}
        reply: Changed = {"job_id": job_id, "status": str(status)}
        changes: list[Change] = [UpdateJob(job_id, fields), *answer.remember(reply)]
        if status is JobStatus.RUNNING:
            changes.append(AddEvent(job_id, None, "job.resumed", {"reason": None}, time.time()))
        self._live.change(live)
        self._desk.turns.pipe(self._desk.ask_to_write(changes), self.was_set, job_id, reply, answer)

    def was_set(self, outcome: Outcome[Any], job_id: str, reply: R, answer: Answer[R]) -> None:
        """A row's new status is on disk."""
        self._live.decided(job_id)
        if outcome.error is not None:
            self._desk.back_to_disk(job_id)
            answer.fail(outcome.error)
        else:
            answer.set(reply)
        self._admit()

    # -- priority -------------------------------------------------------------------------------

    def prioritize(self, answer: Answer[Modified], job_id: str, priority: int) -> None:
        """Gives a job that was not let in yet another place in the line."""
        live = self._desk.live_job(job_id)
        if live.admitted:
            raise Refused(
                "conflict",
                f"job {job_id} is {live.row.status}: it has left the queue",
                hint="priorities are for jobs that wait to be let in",
            )
        reply: Modified = {
            "job_id": job_id,
            "status": str(live.row.status),
            "message": f"its priority is {priority}, it was {live.row.priority}",
            "changes": [],
            "diff": "",
            "warnings": [],
        }
        live.row.priority = priority
        changes: list[Change] = [
            UpdateJob(job_id, {"priority": priority}),
            AddEvent(job_id, None, "job.modified", {"priority": priority}, time.time()),
            *answer.remember(reply),
        ]
        self._live.change(live)
        self._desk.turns.pipe(self._desk.ask_to_write(changes), self.was_set, job_id, reply, answer)

    # -- retry ----------------------------------------------------------------------------------

    def retry(self, answer: Answer[Retried], job_id: str, sheets: Sequence[int] | None) -> None:
        self._desk.check_over(job_id)
        self.again(answer, job_id, sheets)

    def again(self, answer: Answer[Retried], job_id: str, sheets: Sequence[int] | None) -> None:
        machine = self._desk.machine(job_id)
        job = machine.job
        if job.status is JobStatus.COMPLETED and sheets is None:
            text = f"job {job_id} is completed: nothing to run again"
            hint = self._desk.newer(job_id) or "name its sheets, or run the score as a new job"
            raise Refused("conflict", text, hint=hint)
        count = len(machine.ledger.plan.sheets)
        for num in sheets or ():
            if not 1 <= num <= count:
                raise Refused("not_found", f"job {job_id} has sheets 1 to {count}, not {num}")
        also = sorted(machine.unmet(sheets or ()))
        step = machine.reset(sheets, time.time())
        move(job, JobStatus.QUEUED, asked=True)
        job.finished_at, job.error, job.crashes = None, None, 0
        job.options = {**job.options, **ANEW, "ran_seconds": 0.0, CUT_SHORT: False}
        fields = {"status": job.status, "finished_at": None, "error": None, "reason": None}
        reply: Retried = {"job_id": job_id, "status": str(job.status)}
        if also:
            named = ", ".join(
                f"{num} ({machine.ledger.plan.sheets[num - 1].name})" for num in also[:5]
            )
            more = f" and {len(also) - 5} more" if len(also) > 5 else ""
            reply["also"] = also
            reply["message"] = f"goes on; needed, so run again too: {named}{more}"
        changes: list[Change] = [
            *step.changes,
            UpdateJob(job_id, {**fields, "crashes": 0, "options": job.options}, asked=True),
            AddEvent(job_id, None, "job.resumed", {"reason": "retry"}, time.time()),
            *answer.remember(reply),
        ]
        self._live[job_id] = Live(job, unsure=True)
        self._desk.turns.pipe(self._desk.ask_to_write(changes), self.was_set, job_id, reply, answer)
