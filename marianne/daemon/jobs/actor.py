"""The manager of all jobs, as an actor: who comes in, who is admitted, what became of them.

It owns the jobs that are not admitted: queued, paused and finished ones are rows. An admitted
job's state is its job actor's. The manager starts and watches the jobs' supervisors; a job whose
actors gave up is ended here. What it does is done by its parts, one a file of this room; here is
how they hang together.

What a restart finds: submitted, not admitted: queued again by its row; admitted, not started:
started; started: found alive by its name and watched again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors import Actor, Down, ExitReason, Future, Outcome, Promise
from marianne.daemon.context import Context
from marianne.daemon.jobs.admission import Admission
from marianne.daemon.jobs.cancel import Cancel
from marianne.daemon.jobs.clear import Clear
from marianne.daemon.jobs.commands import Commands
from marianne.daemon.jobs.desk import Desk
from marianne.daemon.jobs.ending import Ending
from marianne.daemon.jobs.explain import Explain
from marianne.daemon.jobs.followers import Followers
from marianne.daemon.jobs.groups import Groups
from marianne.daemon.jobs.hooks import Hooks
from marianne.daemon.jobs.intake import Intake
from marianne.daemon.jobs.job_life import Life
from marianne.daemon.jobs.memory import MemoryRoom
from marianne.daemon.jobs.modify import Modify
from marianne.daemon.jobs.questions import Questions
from marianne.daemon.jobs.recover import Recover
from marianne.daemon.jobs.roster import Live
from marianne.daemon.jobs.settings import put_in_force
from marianne.daemon.jobs.supervision import Supervision
from marianne.daemon.services.store import FORGET_DEADLINE, Store
from marianne.daemon.shared.turns import Turns
from marianne.daemon.shared.unforeseen import question
from marianne.state.models import JobRow, JobStatus

if TYPE_CHECKING:
    from marianne.daemon.config import DaemonConfig
    from marianne.daemon.shared.fired import Fired
    from marianne.daemon.types import JobRequest
    from marianne.replies.changes import (
        Changed,
        Cleared,
        Modified,
        Recovered,
        Retried,
        Submitted,
    )
    from marianne.replies.conductor import ConductorStatus
    from marianne.replies.groups import Group
    from marianne.replies.job import Job, Status
    from marianne.replies.reports import Explained, Reason

ADMITTED = frozenset({JobStatus.RUNNING, JobStatus.PAUSING, JobStatus.CANCELLING})


class ManagerActor(Actor):
    """All jobs of a conductor. Every method may be called through a handle from any thread.

    What a Promise promises comes when the change is on disk; ``request_id`` lets a resent
    request find its answer. Refusals are raised as
    :class:`~marianne.daemon.shared.refusal.Refused`.
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def on_start(self) -> None:
        """Finds every job that is not over, and watches or starts what is admitted."""
        context = self._context
        context.store.within(FORGET_DEADLINE).ask(Store.forget, self.name)
        self._turns = Turns(self, self.heard, self.woken)
        self._desk = desk = Desk(context, self._turns, self.name)
        self._supervision = Supervision(desk, self._closed)
        self._groups = Groups(desk, self._admit)
        self._admission = Admission(
            desk, MemoryRoom(context), self._supervision.start, self._groups.open
        )
        self._ending = Ending(desk)
        self._commands = Commands(desk, self._admission.admit)
        self._hooks = Hooks(desk, self._commands, self._submit_next, self._ending.away)
        self._cancel = Cancel(desk, self._supervision, self._hooks.over, self._admission.admit)
        self._followers = Followers(
            desk, self._admission.admit, self._cancel.because, self._hooks.pending
        )
        self._clear = Clear(desk, self._followers.awaited)
        self._modify = Modify(
            desk, self._commands, self._admission.admit, self._hooks.over, self._hooks.resume
        )
        self._recover = Recover(desk, self._hooks.over, self._admission.admit)
        self._intake = Intake(desk, self._admission, self._followers, self._groups.check)
        self._questions = Questions(desk)
        self._explain = Explain(desk, self._admission, self._ask_status, self._why_held)
        self._find_jobs()
        self._admission.admit()
        self._modify.take_up()
        self._hooks.take_up()
        self._followers.take_up()

    def _find_jobs(self) -> None:
        desk = self._desk
        for row in desk.reader.live_jobs():
            desk.live[row.job_id] = live = Live(row)
            if row.status in ADMITTED:
                self._supervision.find(live)
        for job_id in set(self._context.entries) - set(desk.live):
            self._context.executor.unprepare(job_id)

    def on_stop(self, reason: ExitReason) -> None:
        """Closes the database."""
        self._desk.close()

    # -- turns of the parts ---------------------------------------------------------------------

    def heard(self, outcome: Outcome[Any], method: Callable[..., None], *args: Any) -> None:
        """What a part waited for is there."""
        method(outcome, *args)

    def woken(self, method: Callable[..., None], *args: Any) -> None:
        """A part's time has come."""
        method(*args)

    def on_down(self, down: Down) -> None:
        """A job's actors are gone, and no process of it is left (or it gave up)."""
        job_id = down.name.removeprefix("job:")
        live = self._desk.live.get(job_id)
        if live is None or live.life is not Life.UP:
            return
        row = self._desk.reader.job(job_id)
        if row is None:
            raise LookupError(f"job {job_id} is not in the database")
        if not row.status.terminal and row.status is not JobStatus.PAUSED:
            self._supervision.went_down(live, down.reason)
            return
        self._left(live, row)

    def _closed(self, job_id: str) -> None:
        row = self._desk.reader.job(job_id)
        if row is None:
            raise LookupError(f"job {job_id} is not in the database")
        self._left(self._desk.live[job_id], row)

    def _left(self, live: Live, row: JobRow) -> None:
        """A job has no actors any more: it is over, or paused, or goes on by another plan."""
        self._desk.live.leave(live, row)
        if self._modify.takes(live):
            return
        if row.status.terminal:
            self._hooks.over(row.job_id)
        self._admission.admit(lined_up=row.status.terminal)

    def _admit(self) -> None:
        self._admission.admit()

    def _submit_next(self, request: JobRequest, request_id: str) -> Future[Submitted]:
        manager = self._context.manager
        return manager.call(ManagerActor.submit_job, request, request_id)

    def _why_held(self, live: Live) -> Reason | None:
        why = self._hooks.why(live) or self._followers.why(live)
        return why or (self._groups.why(live.row) if live.waits else None)

    def _ask_status(self, job_id: str, first: int, last: int) -> Future[Status]:
        manager = self._context.manager
        asked: Future[Any] = manager.call(ManagerActor.get_job_status, job_id, first, last)
        return asked

    # -- commands -------------------------------------------------------------------------------

    def submit_job(
        self, request: JobRequest, request_id: str | None = None, fired: Fired | None = None
    ) -> Promise[Submitted]:
        """Takes a job in: reads its score, gives it an id, commits it, admits it if there is room.

        Returns a JobResponse as a map (plus ``warnings``; a dry run adds ``plan`` and leaves no
        trace). Refuses with ``invalid_score``, ``conflict``, ``pressure`` or ``shutting_down``.
        ``fired`` notes it as the job of a schedule's slot, in the same transaction; if that has a
        job already, or is gone, there is none: SlotGone, NoSuchSchedule.
        """
        return self._desk.once(request_id, self._intake.submit, request, fired)

    def pause_job(
        self, job_id: str, request_id: str | None = None, now: bool = False
    ) -> Promise[Changed]:
        """Pauses a job: nothing new starts, running sheets finish, or with ``now`` stand still
        where they stand. Returns its status.

        Refuses with ``conflict`` when it is paused or over, ``not_found`` when unknown.
        """
        return self._desk.once(request_id, self._commands.pause, job_id, now)

    def resume_job(
        self,
        job_id: str,
        workspace: Path | str | None = None,
        config_path: Path | str | None = None,
        no_reload: bool = False,
        request_id: str | None = None,
    ) -> Promise[Changed]:
        """Lets a paused job go on, and runs a failed or cancelled one's unfinished sheets again.

        Completed sheets stay. The job's score is read again if its file has changed since, or is
        that of ``config_path``; ``no_reload`` goes on with what is stored. Refuses with
        ``conflict`` when it runs or is completed.
        """
        return self._desk.once(
            request_id, self._modify.resume, job_id, workspace, config_path, no_reload
        )

    def modify_job(
        self,
        job_id: str,
        config_path: Path | str | None,
        workspace: Path | str | None = None,
        score: str | None = None,
        dry_run: bool = False,
        request_id: str | None = None,
        priority: int | None = None,
        resume: bool = False,
    ) -> Promise[Modified]:
        """Lets a job go on by another score; completed sheets stay. Paths are absolute. With a
        ``priority`` it has another place in the queue, and nothing else is changed.

        A running job pauses first: its running sheets finish. One that a person has paused stays
        paused, unless it is to ``resume``. Returns, when that is on disk,
        ``job_id``, ``status``, ``message``, ``changes`` (docs/protocol.md) and ``diff``; a
        ``dry_run`` returns the same and changes nothing. Refuses with ``conflict`` for a job that
        is completed or ends just now, and for a score that has another sheet in the place of a
        completed one, or a priority of one that has left the queue.
        """
        if priority is not None:
            return self._desk.once(request_id, self._commands.prioritize, job_id, priority)
        return self._desk.once(
            request_id,
            self._modify.modify,
            *(job_id, config_path, workspace, score, dry_run),
            "job.resumed" if resume else "job.modified",
        )

    def change_group(
        self, name: str, parallel: int | None, request_id: str | None = None
    ) -> Promise[Group]:
        """Adds a group or gives it another limit; ``parallel`` None removes it.

        Refuses with ``conflict`` to remove one that has jobs which are not over, ``not_found`` when
        there is none.
        """
        return self._desk.once(request_id, self._groups.change, name, parallel)

    def update_job_config_metadata(
        self, job_id: str, *, config_path: Path | None = None, workspace: Path | None = None
    ) -> None:
        """Puts another score file or workspace into what is known of a job that has no actors.

        Only in memory: whoever resumes or modifies the job goes by it, and has it written with
        the change.
        """
        self._modify.note(job_id, config_path=config_path, workspace=workspace)

    def retry_job(
        self, job_id: str, sheets: Sequence[int] | None = None, request_id: str | None = None
    ) -> Promise[Retried]:
        """Runs sheets of a finished job again, with what depends on them.

        ``sheets`` None means all that did not complete. What a named one needs and did not
        complete runs again too: ``also`` in the answer, and ``message`` says so. Refuses with
        ``conflict`` while the job lives, ``not_found`` for a sheet that it does not have.
        """
        return self._desk.once(request_id, self._commands.retry, job_id, sheets)

    def recover_job(
        self,
        job_id: str,
        sheet_num: int | None = None,
        dry_run: bool = False,
        request_id: str | None = None,
    ) -> Promise[Recovered]:
        """Makes the checks of failed sheets again, of one or of all, without running them.

        A sheet whose checks all pass now is completed; a job of which nothing else is left is
        completed too. Returns ``sheets`` with what was found, ``recovered`` and the job's
        ``status``. A ``dry_run`` changes nothing. Refuses with ``conflict`` while the job runs, or
        when nothing of it has failed.
        """
        return self._desk.once(request_id, self._recover.recover, job_id, sheet_num, dry_run)

    def cancel_job(self, job_id: str, request_id: str | None = None) -> Promise[Job]:
        """Cancels a job; returns it when no process of it is left. Refuses when it is over."""
        resent = self._cancel.resent(job_id, request_id)
        if resent is not None:
            return resent
        return self._desk.once(request_id, self._cancel.cancel, job_id)

    def clear_jobs(
        self,
        statuses: Sequence[str] | None = None,
        older_than_seconds: float | None = None,
        job_ids: Sequence[str] | None = None,
        request_id: str | None = None,
    ) -> Promise[Cleared]:
        """Deletes finished jobs, their history and their files; workspaces are left alone.

        ``older_than_seconds`` counts from the job's end. Returns ``{"deleted": n, "jobs": ids}``.
        A live job that is named is a ``conflict``; nothing is deleted then.
        """
        return self._desk.once(request_id, self._clear.clear, statuses, older_than_seconds, job_ids)

    # -- questions ------------------------------------------------------------------------------

    @question
    def wait_job(self, job_id: str) -> Promise[Job]:
        """Returns the job without its sheets once it is over; a paused job is waited for."""
        return self._questions.wait(job_id)

    @question
    def get_job_status(
        self, job_id: str, first: int = 1, last: int = 5_000, *, packed: bool = False
    ) -> Promise[Any]:
        """The job with its sheets ``first`` to ``last`` (1-based), live or from disk.

        A map; ``packed`` as msgpack, for those who send it on.
        """
        return self._questions.status(job_id, first, last, packed)

    def explain_job(self, job_id: str, sheet: int | None = None) -> Promise[Explained]:
        """Why the job, and each sheet of it that neither runs nor is over, does not run now.

        Returns ``job_id, status, code, text, data`` and ``sheets`` (``num, name, status, code,
        text, data``), at most 100 of them. With ``sheet`` only that one, whatever its state.
        Refuses with ``not_found``.
        """
        return self._explain.job(job_id, sheet)

    def counts(self) -> dict[str, int]:
        """How many jobs are admitted and how many are not over at all."""
        return self._questions.counts()

    def get_daemon_status(self) -> ConductorStatus:
        """DaemonStatus as a map, with heart_pid, ready, pressure, disk (bytes) and home."""
        return self._questions.daemon_status()

    # -- from other parts of the conductor ------------------------------------------------------

    def pause_for_pressure(self, job_id: str) -> None:
        """This job uses most: its running sheets finish, nothing of it starts for now."""
        self._admission.pause_for_pressure(job_id)

    def pressure_fell(self) -> None:
        """The level fell, or the state can be written again: what that held back may go on."""
        self._admission.admit()

    def forget(self, chosen: Sequence[str], *, files_alone: bool) -> None:
        """Retention: deletes finished jobs that are too many, or the files of jobs whose rows
        stay."""
        (self._clear.forget_files if files_alone else self._clear.forget_jobs)(chosen)

    def apply_config(self, new_config: DaemonConfig) -> None:
        """Puts another configuration in force, for whatever reads it from now on.

        Fields that are in use already are the caller's to leave as they are.
        """
        put_in_force(self._context, new_config, self._desk.live)
        self._admission.admit()

    def shutdown(self, graceful: bool = True) -> Promise[None]:
        """Winds the work down, for a conductor that is to end; the answer comes when that is done.

        ``graceful``: running sheets finish, nothing more starts, the jobs go on at the next start.
        Otherwise every job is cancelled.
        """
        self._ending.wind_down(drain=graceful)
        if not graceful:
            for live in list(self._desk.live.values()):
                self._cancel.cancel_live(live, None)
        return self._ending.wound_down()
