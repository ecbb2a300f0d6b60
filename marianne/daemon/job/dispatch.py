"""The hands of a job in a conductor: what its state machine decided, told to other actors.

What comes together is told together: a message is a hand-over between threads, and there is one
for each sheet that ends in the worst case, one for a hundred in the best.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from marianne.clock import LOOK_AGAIN
from marianne.daemon.context import Context
from marianne.daemon.ports import Ticket
from marianne.daemon.services.scheduler import SchedulerActor
from marianne.daemon.shared.effects import Register
from marianne.executors.protocol import Run
from marianne.model.plan import Growth
from marianne.schedule.entries import SheetInfo
from marianne.state.models import JobStatus

if TYPE_CHECKING:
    from actors import Timer
    from marianne.daemon.job.actor import Job
    from marianne.daemon.job.runners import Runners


class Dispatch:
    """See the head of this file. ``flush`` sends what was collected, when the actor is idle."""

    def __init__(self, job: Job, context: Context, job_id: str, runners: Runners) -> None:
        self._job = job
        self._job_id = job_id
        self._scheduler = context.scheduler
        self._runners = runners
        self.held = False  # as far as is known
        self._runs: list[Run] = []
        self._serials: list[int] = []
        self._released: list[int] = []
        self._completed: list[tuple[int, bool]] = []
        self._slots: int | None = None
        self._registered = 0
        self._timers: dict[int, Timer] = {}

    def flush(self, lends: int) -> None:
        """Sends it. ``lends`` is how many sheets a slot of the job may be lent."""
        self._send_runs()
        if self._serials:
            self._runners.acknowledge(self._serials)
            self._serials = []
        self._settle(lends)

    def _send_runs(self) -> None:
        if self._runs:
            self._runners.run(self._runs, self._slots)
            self._runs = []

    def _settle(self, lends: int = 0) -> None:
        if self._released or self._completed:
            self._scheduler.tell(
                SchedulerActor.ended, self._job_id, self._released, self._completed, lends
            )
            self._released, self._completed = [], []

    @property
    def ticket(self) -> Ticket:
        """The newest registration: what was granted by an earlier one is granted anew."""
        return self._job.incarnation, self._registered

    def granted(self, slots: int) -> None:
        """The job holds so many slots."""
        self._slots = slots

    def run(self, run: Run) -> None:
        """With all others that are granted now."""
        self._runs.append(run)

    def withdraw(self) -> None:
        """Also what it was about to be sent: who has not heard of a sheet cannot give it back."""
        self._send_runs()
        self._runners.withdraw()

    def end_sheets(self, nums: Sequence[int], category: str) -> None:
        """Through the worker's kill ladder, also what it was about to be sent."""
        self._send_runs()
        self._runners.end_sheets(nums, category)

    def hold(self, on: bool) -> None:
        """Through the worker: all that runs stands still, also what it is about to be sent, or
        goes on; where it does not already."""
        if on is self.held:
            return
        self.held = on
        self._send_runs()
        self._runners.hold(on)

    def acknowledge(self, serial: int) -> None:
        """With all others that are on disk now."""
        self._serials.append(serial)

    def register(
        self, work: Register, max_concurrent: int | None, pools: Mapping[str, int | None]
    ) -> None:
        """With the scheduler of all jobs."""
        self._settle()
        self._registered += 1
        self._scheduler.tell(
            SchedulerActor.register_job,
            self._job_id,
            list(work.sheets),
            work.dependencies,
            running=work.running,
            waiting=work.waiting,
            max_concurrent=max_concurrent,
            pools=pools,
            agents=work.agents,
            ticket=self.ticket,
        )

    def grow(
        self,
        growths: Sequence[Growth],
        sheets: Sequence[SheetInfo],
        needs: Mapping[int, Collection[int]],
    ) -> None:
        """The worker first: it has to know a sheet before it is told to run it."""
        self._settle()
        self._runners.grow(growths)
        if sheets:
            self._scheduler.tell(SchedulerActor.extend, self._job_id, sheets, needs)

    def deregister(self) -> None:
        """With the scheduler."""
        self._settle()
        self._scheduler.tell(SchedulerActor.deregister_job, self._job_id)

    def forget(self) -> None:
        """Nothing of the job runs any more: it holds no slot, whatever was told of its sheets. One
        that was lost before it had begun has no end that would tell."""
        self._scheduler.tell(SchedulerActor.forget_job, self._job_id)

    def release(self, num: int) -> None:
        """To the scheduler, with all others that ended now."""
        self._released.append(num)

    def complete(self, num: int, success: bool) -> None:
        """To the scheduler, with all others."""
        self._completed.append((num, success))

    def requeue(self, info: SheetInfo) -> None:
        """With the scheduler."""
        self._settle()
        self._scheduler.tell(SchedulerActor.requeue, info)

    def wake_at(self, num: int, due_at: float) -> None:
        """By a timer of the actor, which replaces an earlier one of the sheet. A long wait is
        looked at in between: what is not due yet says so, and is woken again."""
        earlier = self._timers.get(num)
        if earlier is not None:
            earlier.cancel()
        seconds = min(max(0.0, due_at - time.time()), LOOK_AGAIN)
        self._timers[num] = self._job.send_after(seconds, self._job.due, num)

    def finish(self, status: JobStatus) -> None:
        """The actor ends its worker and itself."""
        self._job.finish(status)
