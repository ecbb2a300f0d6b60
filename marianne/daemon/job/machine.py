"""The life of one admitted job as a pure state machine.

It knows the plan and a row for each sheet that was ever started. Every input (a grant, a result,
a timer, a person's wish) returns a :class:`~marianne.daemon.shared.effects.Step` and nothing else
happens: no clock, no I/O, no thread. What a restart finds is what the steps committed; calling
:meth:`JobMachine.recover` on those rows brings every sheet to where it has to go on.

The machine holds parts, each in a file of its own, and says how they work together; none knows it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from marianne.daemon.job import endings
from marianne.daemon.job.aftermath import Aftermath
from marianne.daemon.job.alive import find_running, interrupt_others, of_result
from marianne.daemon.job.attempt_context import AttemptContext
from marianne.daemon.job.budget import Budget
from marianne.daemon.job.clock import JobClock
from marianne.daemon.job.gate import Gate
from marianne.daemon.job.judgement import CANNOT_BEGIN, Judgement, write_down
from marianne.daemon.job.ledger import Ledger
from marianne.daemon.job.opening import open_job
from marianne.daemon.job.prefetch import Prefetch
from marianne.daemon.job.registration import keep_slots, register
from marianne.daemon.job.reset import reset
from marianne.daemon.shared.effects import (
    Acknowledge,
    Deregister,
    EndSheets,
    Finish,
    Release,
    Requeue,
    Step,
    WakeAt,
    Withdraw,
)
from marianne.executors.protocol import Run
from marianne.model.plan import Plan
from marianne.model.result import AttemptResult
from marianne.schedule.explain import Explanation
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus

__all__ = ["CANNOT_BEGIN", "JobMachine"]

_WAITS = (SheetStatus.PENDING, SheetStatus.WAITING)


class JobMachine:
    """Decides what happens to one job's sheets.

    ``rows`` holds a row for each sheet that was ever touched. ``random`` gives a number from 0 to
    1 for the jitter of retry delays.
    """

    def __init__(
        self, plan: Plan, job: JobRow, rows: Mapping[int, SheetRow], random: Callable[[], float]
    ) -> None:
        self.ledger = ledger = Ledger(plan, job, rows)
        self.job, self.rows = job, ledger.rows
        self.knows_what_runs = True
        """Not before the worker was heard: it may run what was never committed as begun."""
        self._budget = Budget(ledger)
        self._clock = JobClock(ledger)
        self._gate = Gate(ledger)
        self._aftermath = Aftermath(ledger)
        self._prefetch = Prefetch(plan)
        self._context = AttemptContext(ledger)
        self._judgement = Judgement(ledger, self._budget, self._gate, self._aftermath, random)

    # -- asked ----------------------------------------------------------------------------------

    def unmet(self, nums: Iterable[int]) -> set[int]:
        """What these sheets need, directly or not, and nobody can count on; not they themselves."""
        return self.ledger.unmet(nums)

    def kept_back(self) -> dict[int, Explanation]:
        """Why sheets that might have a slot do not: their job keeps them back itself."""
        return self._aftermath.kept_back() | self._gate.kept_back()

    def lends(self) -> int:
        """How many sheets a slot of this job may be lent."""
        return self._prefetch.per_slot() if self.job.status is JobStatus.RUNNING else 0

    def limit(self) -> int | None:
        """How many of its sheets run at once: as was asked for, else as the score says."""
        asked: int | None = self.job.options.get("max_concurrent")
        return asked or self.ledger.plan.max_concurrent

    def take_lost(self) -> list[int]:
        """The sheets whose attempts were lost with their worker, since the last call."""
        return self._judgement.take_lost()

    def take_ended(self) -> bool:
        """Whether an attempt came to an end of its own since the last call."""
        return self._judgement.take_ended()

    # -- from the scheduler and the worker ------------------------------------------------------

    def recover(
        self,
        running: Iterable[tuple[int, int]],
        now: float,
        ended: Iterable[tuple[int, int]] = (),
        queued: Iterable[tuple[int, int]] = (),
    ) -> Step:
        """Brings the job to where it goes on, after a start or a restart of its actor.

        ``running`` names the (sheet, attempt) pairs that the worker says are alive, ``ended`` those
        whose results are on their way, ``queued`` those granted ahead that have not begun. One that
        we believed to run and that is among neither was interrupted: it uses up no retry.
        """
        step, ledger, job = Step(), self.ledger, self.job
        self.knows_what_runs = True
        if self._prefetch.found(queued):
            step.now.append(Withdraw())  # what an earlier incarnation lent goes back
        alive = set(running)
        find_running(ledger, self._judgement, step, alive, self._start, now)
        interrupt_others(ledger, self._judgement, step, alive.union(ended), now)
        if job.status is JobStatus.RUNNING:
            open_job(ledger, step, now)
        if job.status is JobStatus.RUNNING:
            endings.skip_hopeless(ledger, step, now)
            self._aftermath.decide(step, now)
            self._register(step, now)
        elif not job.status.terminal:
            keep_slots(ledger, step)
        if job.status is JobStatus.CANCELLING:
            step.now.append(EndSheets(self._to_end(), "cancelled"))
        self._settle(step, now)
        return step

    def grant(self, num: int, now: float) -> Step:
        """The scheduler gives the sheet a slot."""
        step, row = Step(), self.ledger.row(num)
        if not self._may_begin(step, row):
            return step
        when = self._gate.keep_back(row, now)
        if when is not None:
            step.now.append(Release(num))
            if when < math.inf:
                step.now.append(WakeAt(num, when))
            return step
        context = self._context.of(row)
        self._start(step, row, now)
        step.now.append(Run(num, row.attempt, row.fallback, **context))
        return step

    def grant_ahead(self, num: int, now: float) -> Step:
        """The sheet may begin as soon as another of the job ends."""
        step, row = Step(), self.ledger.row(num)
        if not self._may_begin(step, row):
            return step
        self._prefetch.lend(num)
        fallback = self.ledger.available(row, row.fallback)
        context = self._context.of(row)
        step.now.append(Run(num, row.attempt + 1, fallback, ahead=True, **context))
        return step

    def withdrawn(self, nums: Iterable[int], now: float) -> Step:
        """The worker gave back sheets that it had not begun."""
        step = Step(now=[Release(num) for num in self._prefetch.returned(nums)])
        self._settle(step, now)
        return step

    def began(
        self, num: int, attempt: int, at: float, walls: Sequence[str] = (), node: str | None = None
    ) -> Step:
        """An attempt began: at its true time where it had a slot, behind which walls, where."""
        if num > len(self.ledger.plan.sheets):
            return Step()  # of an earlier plan
        step, row = Step(), self.ledger.row(num)  # what was lent before a restart has none yet
        if row.status is SheetStatus.RUNNING and row.attempt == attempt:
            self.ledger.show_start(step, row, at, walls, node)
        elif row.status in _WAITS and row.attempt == attempt - 1:
            self._start(step, row, at)
            self.ledger.show_start(step, row, at, walls, node)
            if self.job.status is JobStatus.CANCELLING and not self._aftermath.starts(num):
                step.now.append(EndSheets((num,), "cancelled"))
        return step

    def result(self, result: AttemptResult, now: float) -> Step:
        """An attempt ended. A result that is not of the current attempt is only acknowledged; that
        too behind what is on its way to the disk: it may be the same one, come twice."""
        step = Step()
        row = of_result(self.ledger, self._judgement, step, result, self._start)
        if row is None:
            step.after.append(Acknowledge(result.serial))
            return step
        step.now.append(Release(row.num))
        step.after.append(Acknowledge(result.serial))
        write_down(row, result, self.ledger.work)
        if result.outcome == "interrupted":
            self._judgement.interrupt(step, row, result, now)
        else:
            self._judgement.judge(step, row, result, now)
        self._context.reported(row.num)
        if result.outcome != "skipped":
            self._gate.sheet_ended(result.finished_at)
            self._prefetch.took(result.seconds)
        if self._budget.is_spent() and self.job.status is JobStatus.RUNNING:
            step.extend(self.pause("cost", now))
        self._settle(step, now)
        return step

    def lost_too_often(self, nums: Sequence[int], why: str, now: float) -> Step:
        """Fails the job, whose worker was lost again and again while these sheets ran."""
        step = Step()
        if self.ledger.goes_on() or any(map(self._aftermath.starts, nums)):
            endings.fail_lost(self.ledger, step, nums, why, now)
        return step

    # -- timers ---------------------------------------------------------------------------------

    def due(self, num: int, now: float) -> Step:
        """A waiting sheet's time has come, or it is on disk that all it waits for has ended: to the
        queue, through the same admission."""
        step, ledger = Step(), self.ledger
        row = ledger.row(num)
        runs = self._aftermath.starts(num)
        if row.status is SheetStatus.WAITING and (row.due_at or 0) <= now + 0.001:
            ledger.set_row(step, row, SheetStatus.PENDING, due_at=None)
            if runs:
                step.now.append(Requeue(ledger.info(row)))
        elif row.status is SheetStatus.WAITING and row.due_at is not None:
            # A timer that came early, or one of an earlier wait: nothing else would come again.
            step.now.append(WakeAt(num, row.due_at))
        elif row.status is not SheetStatus.PENDING or not runs:
            return step
        elif self._aftermath.frees(num) or self._gate.keeps(num):
            step.now.append(Requeue(ledger.info(row)))
        return step

    def limit_ended(self, num: int, now: float) -> Step:
        """A rate limit was lifted before its time: a sheet that waits for it is due."""
        row = self.rows.get(num)
        if row is None or row.status is not SheetStatus.WAITING or row.category != "rate_limit":
            return Step()
        row.due_at = now
        return self.due(num, now)

    def tick(self, now: float, timeout: float) -> Step:
        """Notes how long the job has run; one that has run for ``timeout`` seconds fails."""
        step, clock = Step(), self._clock
        if not self.ledger.goes_on():
            return step
        clock.count(step, now)
        if clock.ran >= timeout:
            error = f"ran for {clock.ran:.0f} s: longer than job_timeout_seconds ({timeout:g})"
            self.ledger.set_job(step, JobStatus.CANCELLING, reason="timeout", error=error)
            self._end_running(step, "job_timeout")
            self._settle(step, now)
        return step

    def next_tick(self, timeout: float) -> float | None:
        """Seconds from one :meth:`tick` to the next; None for a job that does not run."""
        return self._clock.next_look(timeout) if self.ledger.goes_on() else None

    def clock_set(self, by: float) -> Step:
        """The wall clock was set by so many seconds: what waits is due at another time of it, and
        as soon as before."""
        step = Step()
        self._clock.moved(step, by)
        self._gate.moved(step, by)
        return step

    # -- from people and from whoever keeps the job's actors ------------------------------------

    def pause(self, reason: str, now: float) -> Step:
        """Starts no further sheet; the running ones finish, then the job is paused. Pressure, which
        ends by itself, is no reason in the place of another."""
        step = Step()
        if self.job.status is JobStatus.RUNNING:
            self.ledger.set_job(step, JobStatus.PAUSING, reason=reason)
            self._deregister(step)
            self._settle(step, now)
        elif self.job.status is JobStatus.PAUSING and reason not in (self.job.reason, "pressure"):
            self.ledger.set_job(step, JobStatus.PAUSING, reason=reason)
        return step

    def resume(self, now: float) -> Step:
        """Takes back a pause that has not come into force: the running sheets just go on."""
        step = Step()
        if self.job.status is JobStatus.PAUSING:
            self.ledger.set_job(step, JobStatus.RUNNING, reason=None, crashes=0)
            self.ledger.event(step, "job.resumed", now=now)
            self._register(step, now)
        return step

    def cancel(self, now: float, *, again: bool = False) -> Step:
        """Ends the running sheets; what has not run will not, but for what says that it runs after
        a cancel (:class:`~marianne.daemon.job.aftermath.Aftermath`): that is ended ``again``."""
        step, status = Step(), self.job.status
        if status.terminal:
            return step
        if again and status is JobStatus.CANCELLING:
            self._aftermath.cut_short(step)
        elif status in (JobStatus.QUEUED, JobStatus.PENDING):
            self.ledger.pass_through(JobStatus.CANCELLING)  # nothing of it runs
        elif status is not JobStatus.CANCELLING:
            self.ledger.set_job(step, JobStatus.CANCELLING)
        self._end_running(step, "cancelled")
        self._settle(step, now)
        return step

    def reset(self, nums: Iterable[int] | None, now: float) -> Step:
        """Makes sheets that ended pending again, for ``retry`` and ``resume``: all that did not
        complete, or ``nums`` with what goes with them (:func:`marianne.daemon.job.reset.reset`)."""
        step = Step()
        reset(self.ledger, step, nums)
        return step

    def abandon(self, now: float) -> Step:
        """Cancels a job that has neither actors nor a worker: what ran is lost."""
        step = self.cancel(now)
        step.extend(self.recover((), now))
        step.extend(self.cancel(now, again=True))
        return step

    def give_up(self, cause: str, now: float) -> Step:
        """The job's actors cannot be kept alive: it fails, and nothing of it is left open."""
        step = Step()
        endings.give_up(self.ledger, step, cause, now)
        return step

    def hold(self, now: float) -> Step:
        """Pauses the job where it stands: even to let its sheets finish kills the conductor."""
        step, ledger = Step(), self.ledger
        ledger.set_job(step, JobStatus.PAUSED, reason="crashes")
        interrupt_others(ledger, self._judgement, step, frozenset(), now)
        ledger.event(step, "job.paused", data={"reason": "crashes"}, now=now)
        return step

    # -- how the parts work together ------------------------------------------------------------

    def _may_begin(self, step: Step, row: SheetRow) -> bool:
        """Whether a sheet that is granted may begin; else its slot is given back."""
        if self._aftermath.starts(row.num) and row.status in _WAITS:
            return True
        step.now.append(Release(row.num))
        return False

    def _start(self, step: Step, row: SheetRow, now: float) -> None:
        self._prefetch.begun(row.num)
        self.ledger.start(step, row, now)

    def _register(self, step: Step, now: float) -> None:
        self._budget.renew(step)  # of a job that was paused for its cost
        register(self.ledger, step, now, self._aftermath.waits)
        self._aftermath.queued()

    def _deregister(self, step: Step) -> None:
        """Nothing more begins: what waits in the queue or in the worker is taken back."""
        step.now.append(Deregister())
        if self._prefetch.lent:
            step.now.append(Withdraw())

    def _end_running(self, step: Step, category: str) -> None:
        self._deregister(step)
        if running := self._to_end():
            step.now.append(EndSheets(running, category))

    def _to_end(self) -> tuple[int, ...]:
        """What runs and is ended with the job."""
        return tuple(n for n in self.ledger.running() if not self._aftermath.outlives(n))

    def _settle(self, step: Step, now: float) -> None:
        """Ends, pauses or cancels the job when nothing of it is left to wait for."""
        self._aftermath.decide(step, now)
        ledger, status = self.ledger, self.job.status
        busy = ledger.counts[SheetStatus.RUNNING] or self._prefetch.lent
        if status is JobStatus.CANCELLING:
            self._settle_cancelled(step, now)
        elif busy or status.terminal or status is JobStatus.PAUSED:
            return
        elif endings.is_at_an_end(ledger):
            endings.end_by_sheets(ledger, step, now)
        elif status is JobStatus.PAUSING and self.knows_what_runs:
            self._clock.count(step, now)
            ledger.set_job(step, JobStatus.PAUSED)
            ledger.event(step, "job.paused", data={"reason": self.job.reason}, now=now)
            step.after.append(Finish(JobStatus.PAUSED))

    def _settle_cancelled(self, step: Step, now: float) -> None:
        """Ends a job that is being cancelled when nothing of it is left; what runs after a cancel
        begins when nothing else runs any more, and it is known what runs."""
        ledger, aftermath = self.ledger, self._aftermath
        running = ledger.counts[SheetStatus.RUNNING]
        if self._prefetch.lent or (running and running > aftermath.running()):
            return
        if aftermath.outlives_any() and not self.knows_what_runs:
            return
        if aftermath.close(step, now):
            ledger.set_job(step, JobStatus.CANCELLING)  # of one that had no actors, too
            step.now = [effect for effect in step.now if effect != Deregister()]
            self._register(step, now)  # in place of what was queued
        elif ledger.all_over():
            endings.end_cancelled(ledger, step, now)
