"""A job's actor and its place on disk, for walks.

The job's rules are the real ones: JobMachine, Execution, Dispatch. What carries them stands in:
:class:`Job` keeps in step with ``marianne/daemon/job/actor.py``, without its clock, replies,
modifications and what is counted of lost workers. :class:`Admitted` is what outlives it: the rows,
a store that commits what waits in pieces, and the supervisor that starts both actors anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, cast

from crossing_mail import Mail, Resident
from crossing_worker import Process, Worker
from kept_rows import keep

from marianne.daemon.context import Context
from marianne.daemon.job.actor import Job as JobActor
from marianne.daemon.job.catch_up import catch_up
from marianne.daemon.job.dispatch import Dispatch
from marianne.daemon.job.execution import Execution
from marianne.daemon.job.machine import JobMachine
from marianne.daemon.job.runners import Runners
from marianne.daemon.job_service import JobService
from marianne.daemon.ports import Ticket
from marianne.daemon.shared.effects import Step
from marianne.model.plan import Plan
from marianne.state.changes import AddAttempt, Change
from marianne.state.models import JobRow, JobStatus, SheetRow


class Job(Resident):
    """The actor ``job:<id>/job``."""

    def __init__(self, mail: Mail, context: Context, admitted: Admitted, *, blank: bool) -> None:
        self._mail, self._admitted, self._blank = mail, admitted, blank
        self._id = admitted.job_id
        self.send_after = mail.timers(f"{self._id}/job", self)
        self.up = False
        self.machine = JobMachine(
            admitted.plan, deepcopy(admitted.row), deepcopy(admitted.rows), mail.random.random
        )
        runners = Runners(context, self._id, ["local"])
        self._hands = Dispatch(cast(JobActor, self), context, self._id, runners)
        service = JobService()
        service.on_limit(lambda key, seconds, *_: mail.tell("rates", "report", key, seconds))
        self._execution = Execution(self.machine, self._hands, service)
        self.incarnation = mail.serial()
        self._writing = 0
        self._ended: JobStatus | None = None
        self._over = False

    def on_start(self) -> None:
        """As in the real one."""
        status = self.machine.job.status
        if status.terminal or status is JobStatus.PAUSED:
            self.finish(status)
        elif self._blank:
            self._go_on_from({"unacked": ()})
        else:
            self.machine.knows_what_runs = False
            self._mail.tell(f"{self._id}/worker", "report", self.incarnation)

    def on_idle(self) -> None:
        """As in the real one."""
        self._flush()

    # -- from the worker ------------------------------------------------------------------------

    def worker_up(self, hello: dict[str, Any], asker: int) -> None:
        """As in the real one."""
        if asker == self.incarnation:
            self._go_on_from(hello)
        else:
            self.results(hello["unacked"])

    def _go_on_from(self, hello: dict[str, Any]) -> None:
        self.up = True
        self._execution.worker_up(hello)
        if not self._admitted.pressed:
            self.relieve()

    def results(
        self, results: Sequence[dict[str, Any]], started: Sequence[Sequence[Any]] = ()
    ) -> None:
        """As in the real one."""
        self._execution.results(results)
        self._execution.started(started)

    def withdrawn(self, sheets: Sequence[Sequence[int]]) -> None:
        """As in the real one."""
        self._execution.withdrawn(sheets)

    def worker_finished(self) -> None:
        """As in the real one."""
        self._over = True
        self._flush()
        self._hands.forget()
        self._stop_if_done()

    # -- from the scheduler and timers ----------------------------------------------------------

    def granted(
        self, nums: Sequence[int], ahead: Sequence[int], slots: int, ticket: Ticket | None
    ) -> None:
        """As in the real one."""
        if not self.up or ticket != self._hands.ticket:
            return
        self._hands.granted(slots)
        self._execution.granted(nums, ahead)

    def due(self, num: int) -> None:
        """As in the real one."""
        self._execution.due(num)

    def limit_ended(self, nums: Sequence[int]) -> None:
        """As in the real one."""
        now = self._execution.now()
        for num in nums:
            self._execution.take(self.machine.limit_ended(num, now))

    def press(self) -> None:
        """As in the real one."""
        if self.machine.job.status is not JobStatus.PAUSING:
            self._execution.take(self.machine.pause("pressure", self._execution.now()))

    def relieve(self) -> None:
        """As in the real one."""
        job = self.machine.job
        if job.status is JobStatus.PAUSING and job.reason == "pressure":
            self._execution.take(self.machine.resume(self._execution.now()))

    def end_for_resources(self, num: int) -> None:
        """As in the real one."""
        self._mail.tell(f"{self._id}/worker", "end_sheets", [num], "resource_limit")

    # -- from people: refused where the real one refuses ----------------------------------------

    def pause(self) -> None:
        """As in the real one."""
        if self._in(JobStatus.RUNNING, JobStatus.PAUSING):
            self._execution.pause("person")

    def resume(self) -> None:
        """As in the real one."""
        if self._in(JobStatus.PAUSING):
            self._execution.take(self.machine.resume(self._execution.now()))

    def cancel(self) -> None:
        """As in the real one, as a person asks for it: the second one ends the aftermath too."""
        if self._in(JobStatus.PAUSED):
            return
        if not self.up:
            spool = self._admitted.process.unacked
            self._execution.take(catch_up(self.machine, spool, self._execution.now()))
        again = self._in(JobStatus.CANCELLING)
        self._execution.take(self.machine.cancel(self._execution.now(), again=again))

    def _in(self, *statuses: JobStatus) -> bool:
        return self.machine.job.status in statuses

    # -- carrying out ---------------------------------------------------------------------------

    def _flush(self) -> None:
        self._hands.flush(self.machine.lends())
        step = self._execution.decided()
        if step:
            self._writing += 1
            self._admitted.write(self, step)

    def committed(self, step: Step) -> None:
        """As in the real one."""
        self._writing -= 1
        self._execution.committed(step)
        self._stop_if_done()

    def finish(self, status: JobStatus) -> None:
        """As in the real one."""
        if self._ended is None:
            self._ended = status
            # A job that is cancelled before its worker is heard ends what runs by ending that.
            running = [] if status is JobStatus.CANCELLED else self._admitted.process.begun
            assert not running, f"{status} while these run: {[one.names for one in running]}"
            self._mail.tell(f"{self._id}/worker", "finish")

    def _stop_if_done(self) -> None:
        if self._over and not self._writing:
            self._admitted.put_away()


class Admitted(Resident):
    """A job, whoever carries it: its plan and rows, its store, the lives of its actors."""

    def __init__(self, mail: Mail, context: Context, job_id: str, plan: Plan) -> None:
        self._mail, self._context = mail, context
        self.job_id, self.plan = job_id, plan
        self.row = JobRow(job_id, job_id, JobStatus.RUNNING, "/w", 0.0, len(plan.sheets))
        self.rows: dict[int, SheetRow] = {}
        self.away = False
        self.pressed = False
        self._kept: set[tuple[int, int]] = set()
        self._pending: list[tuple[Job, Step]] = []
        self._unacked: list[dict[str, Any]] = []
        mail.move_in(f"{job_id}/store", self)
        self._admit(blank=True)

    # -- who lives ------------------------------------------------------------------------------

    @property
    def job(self) -> Job:
        """The job's actor of now."""
        return cast(Job, self._mail.resident(f"{self.job_id}/job"))

    @property
    def process(self) -> Process:
        """The worker process of now."""
        return cast(Process, self._mail.resident(f"{self.job_id}/process"))

    def tell(self, method: str, *args: Any) -> None:
        """To the job's actor, if it has one."""
        self._mail.tell(f"{self.job_id}/job", method, *args)

    def tell_worker(self, method: str) -> None:
        """To the worker's actor, if it has one."""
        self._mail.tell(f"{self.job_id}/worker", method)

    def _admit(self, *, blank: bool = False) -> None:
        self.away = False
        self._start_worker(())
        self._start_job(blank=blank)

    def _start_worker(self, begun: Sequence[tuple[int, int]]) -> None:
        self._mail.move_in(f"{self.job_id}/worker", Worker(self._mail, self.job_id))
        process = Process(self._mail, self.job_id, begun, self._unacked)
        self._mail.move_in(f"{self.job_id}/process", process)

    def _start_job(self, *, blank: bool = False) -> None:
        job = Job(self._mail, self._context, self, blank=blank)
        self._mail.move_in(f"{self.job_id}/job", job)

    # -- what befalls it ------------------------------------------------------------------------

    def lose_process(self) -> None:
        """The worker process dies, its actor with it, and so the job's actor, too."""
        if self.away or self.process.stopping:
            return
        self._lose_job()
        self._unacked = self.process.unacked
        self._start_worker([(one.num, one.attempt) for one in self.process.begun])
        self._start_job()

    def lose_actor(self) -> None:
        """The job's actor dies; what it told the worker is on its way. Or both actors die, and
        the process is taken over."""
        if self.away:
            return
        self._lose_job()
        if self._mail.random.random() < 0.4 and not self.process.stopping:
            taken_over = Worker(self._mail, self.job_id, taken_over=True)
            self._mail.move_in(f"{self.job_id}/worker", taken_over)
        self._start_job()

    def _lose_job(self) -> None:
        """Of what is on its way to the disk, some comes there, and nobody is told."""
        for _, step in self._some_pending():
            self._keep_all(step.changes)
        self._pending.clear()
        self._mail.move_out(f"{self.job_id}/job")

    def lose_link(self) -> None:
        """What is on its way between the worker's halves is lost; the process says hello anew."""
        self._mail.lose(f"{self.job_id}/process")
        self._mail.lose(f"{self.job_id}/worker", "received")
        self._mail.tell(f"{self.job_id}/process", "handle", {"kind": "report", "round": 0})

    def put_away(self) -> None:
        """The job's actor has ended: so do the others. A job that was to go on is let in again."""
        self.away = True
        self._unacked = self.process.unacked
        for name in ("job", "worker", "process"):
            self._mail.move_out(f"{self.job_id}/{name}")
        if not self.over and self.row.status is not JobStatus.PAUSED:
            self._admit()

    def go_on(self) -> bool:
        """A person resumes it. Returns whether it was paused."""
        if not self.away or self.row.status is not JobStatus.PAUSED:
            return False
        self._mail.note(f"{self.job_id} is resumed")
        self.row.status, self.row.reason = JobStatus.RUNNING, None
        self._admit()
        return True

    # -- its store ------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether its end is on disk."""
        return self.row.status.terminal

    def write(self, job: Job, step: Step) -> None:
        """It waits for its commit."""
        self._pending.append((job, step))
        self._mail.tell(f"{self.job_id}/store", "commit")

    def commit(self) -> None:
        """Some of what waits comes to the disk, in its order; then who wrote it is told."""
        kept = self._some_pending() or self._pending[:1]
        del self._pending[: len(kept)]
        for _, step in kept:
            self._keep_all(step.changes)
        for writer, step in kept:
            if self._mail.resident(f"{self.job_id}/job") is writer:
                self.tell("committed", step)
        if self._pending:
            self._mail.tell(f"{self.job_id}/store", "commit")

    def _some_pending(self) -> list[tuple[Job, Step]]:
        return self._pending[: self._mail.random.randint(0, len(self._pending))]

    def _keep_all(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._keep(change)

    def _keep(self, change: Change) -> None:
        """Refuses what the real tables refuse: an illegal transition, an attempt kept twice."""
        keep(change, self.rows, self.row)
        if isinstance(change, AddAttempt):
            key = (change.result.num, change.result.attempt)
            assert key not in self._kept, f"attempt {key} of {self.job_id} is kept twice"
            self._kept.add(key)
