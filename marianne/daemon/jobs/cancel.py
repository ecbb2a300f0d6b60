"""Cancelling jobs, wherever they stand.

An admitted job's actor ends its sheets; a job without actors is a row, which is changed here. It
gets actors where some of its sheets are to run after a cancel.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors import Outcome, Promise
from marianne.daemon.job.actor import Job
from marianne.daemon.jobs.desk import Desk
from marianne.daemon.jobs.job_life import Life
from marianne.daemon.jobs.roster import Live
from marianne.daemon.jobs.supervision import LOOK_AGAIN, Supervision
from marianne.daemon.shared.idempotency import Answer
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.shared.turns import raise_error
from marianne.daemon.views import queries
from marianne.schedule.waits import AFTER, NOTHING, OPTION
from marianne.state.changes import UpdateJob
from marianne.state.errors import DuplicateRequest
from marianne.state.models import JobStatus
from marianne.state.transitions import move

if TYPE_CHECKING:
    from marianne.replies import job as replies
    from marianne.replies.changes import Changed


class Cancel:
    """``over`` is told of a job that is cancelled on disk; ``admit`` looks whom one that was not
    leaves room."""

    def __init__(
        self,
        desk: Desk,
        supervision: Supervision,
        over: Callable[[str], None],
        admit: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._context = desk.context
        self._live = desk.live
        self._supervision = supervision
        self._over = over
        self._admit = admit

    def resent(self, job_id: str, request_id: str | None) -> Promise[replies.Job] | None:
        """The answer of a request that was carried out already; None for a new one.

        What is remembered is that the job was cancelled: who asks again waits like the first.
        """
        if request_id is None or self._desk.reader.reply(request_id) is None:
            return None
        promise: Promise[replies.Job] = self._desk.turns.promise()
        live, row = self._live.get(job_id), self._desk.reader.job(job_id)
        if live is not None and row is not None and row.status is JobStatus.CANCELLING:
            live.wait(promise)
        else:
            promise.set(queries.summary(self._desk.reader, job_id))
        return promise

    def cancel(self, answer: Answer[replies.Job], job_id: str) -> None:
        self.cancel_live(self._desk.live_job(job_id), answer)

    def cancel_live(self, live: Live, answer: Answer[replies.Job] | None) -> None:
        """Cancels it now, or when the change that is on its way is decided."""
        job_id = live.row.job_id
        if live.unsure:
            self._desk.turns.after(LOOK_AGAIN, self.cancel_again, job_id, answer)
        elif live.life is Life.DELAYED:
            self._context.executor.unprepare(job_id)
            reply: Changed = {"job_id": job_id, "status": str(JobStatus.CANCELLED)}
            more = answer.remember(reply) if answer is not None else ()
            self._supervision.end_without_actors(job_id, None, more)
            if answer is not None:
                live.cancels.append(answer)
        elif live.admitted:
            self._ask_to_cancel(job_id, answer)
        elif live.over:  # its hooks are not, which belong to work that is done
            self._tell(answer, job_id)
        else:
            self._cancel_row(job_id, answer)

    def cancel_again(self, job_id: str, answer: Answer[replies.Job] | None) -> None:
        """What kept a job from being cancelled may be decided by now."""
        live = self._live.get(job_id)
        if live is not None:
            self.cancel_live(live, answer)
        else:
            self._tell(answer, job_id)

    def _tell(self, answer: Answer[replies.Job] | None, job_id: str) -> None:
        """The job was over before anything had to be done: that is the answer, asked again too."""
        if answer is None:
            return
        row = self._desk.reader.job(job_id)
        reply: Changed = {"job_id": job_id, "status": str(row.status) if row is not None else ""}
        written = self._desk.ask_to_write(answer.remember(reply))
        self._desk.turns.pipe(written, self.end_came_first, answer, job_id)

    def end_came_first(
        self, outcome: Outcome[Any], answer: Answer[replies.Job], job_id: str
    ) -> None:
        """The answer is kept, as it may be already: the job's actor had heard of the cancel. The
        job may be deleted by now."""
        if outcome.error is not None and not isinstance(outcome.error, DuplicateRequest):
            answer.fail(outcome.error)
            return
        try:
            answer.set(queries.summary(self._desk.reader, job_id))
        except Refused as refusal:
            answer.fail(refusal)

    def because(self, live: Live, why: str) -> None:
        """Cancels a job that waits for what cannot come any more."""
        self._cancel_row(live.row.job_id, None, why)

    def _cancel_row(
        self, job_id: str, answer: Answer[replies.Job] | None, why: str | None = None
    ) -> None:
        live, machine = self._live[job_id], self._desk.machine(job_id)
        fields: dict[str, Any] = {}
        if why is not None:
            machine.job.reason, machine.job.error = AFTER, why
            fields = {"reason": AFTER, "error": why}
        changes = list(machine.cancel(time.time()).changes)
        move(live.row, machine.job.status)
        if OPTION in machine.job.options:  # who lets it go on wants it to begin
            live.row.options = fields["options"] = NOTHING.into(machine.job.options)
        if fields:
            changes.append(UpdateJob(job_id, fields))
        self._live.change(live)
        if answer is not None:
            reply: Changed = {"job_id": job_id, "status": str(machine.job.status)}
            changes += answer.remember(reply)
        write = self._desk.write if why is not None else self._desk.ask_to_write
        self._desk.turns.pipe(write(changes), self.cancelled, job_id, answer, why)

    def _ask_to_cancel(self, job_id: str, answer: Answer[replies.Job] | None) -> None:
        request_id = answer.request_id if answer is not None else None
        asked = self._context.job(job_id).within(None).call(Job.cancel, request_id)
        self._desk.turns.pipe(asked, self.cancel_heard, job_id, answer)

    def cancel_heard(
        self, outcome: Outcome[Changed], job_id: str, answer: Answer[replies.Job] | None
    ) -> None:
        """The job is being cancelled: whoever asked waits for its end.

        A job actor that is not there yet, or restarting, is asked again if nobody else will.
        """
        live = self._live.get(job_id)
        if outcome.error is None:
            if answer is not None and live is not None:
                live.cancels.append(answer)
            else:
                self._tell(answer, job_id)
        elif isinstance(outcome.error, Refused) and answer is not None:
            answer.fail(outcome.error)
        elif live is not None and live.admitted:
            self._desk.turns.after(LOOK_AGAIN, self.cancel_again, job_id, answer)
        elif answer is not None:
            answer.fail(outcome.error)

    def cancelled(
        self,
        outcome: Outcome[Any],
        job_id: str,
        answer: Answer[replies.Job] | None,
        why: str | None,
    ) -> None:
        """The cancelling of a job without actors is on disk."""
        if why is not None:
            raise_error(outcome)  # nobody would ask again
        live = self._live.decided(job_id)
        if outcome.error is not None:
            self._desk.back_to_disk(job_id)
            if answer is not None:
                answer.fail(outcome.error)
            self._admit()  # it stood in no line meanwhile
            return
        if answer is not None:
            self._live[job_id].cancels.append(answer)
        if live is not None and live.row.status is JobStatus.CANCELLING:
            self._supervision.find(live)
        else:
            self._over(job_id)
