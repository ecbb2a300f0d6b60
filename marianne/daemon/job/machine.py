"""The life of one admitted job as a pure state machine.

It knows the plan and a row for each sheet that was ever started. Every input (a grant, a result,
a timer, a person's wish) returns a :class:`~marianne.daemon.shared.effects.Step` and nothing else
happens: no clock, no I/O, no thread. What a restart finds is what the steps committed; calling
:meth:`JobMachine.recover` on those rows brings every sheet to where it has to go on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from marianne.daemon.job.ledger import lost, told
from marianne.daemon.job.prefetch import JobAhead
from marianne.daemon.shared.effects import (
    Acknowledge,
    Complete,
    EndSheets,
    Finish,
    RateLimited,
    Release,
    Requeue,
    Run,
    Step,
    WakeAt,
)
from marianne.run.result import AttemptResult
from marianne.schedule.outcome import Verdict
from marianne.state.changes import AddAttempt
from marianne.state.models import JobStatus, SheetRow, SheetStatus
from marianne.state.transitions import move

CANNOT_BEGIN = frozenset({"disk_full", "machine"})
"""Why an attempt did not begin: the machine could not do it just then."""


class JobMachine(JobAhead):
    """Decides what happens to one job's sheets.

    ``rows`` holds a row for each sheet that was ever touched. ``random`` gives a number from 0 to
    1 for the jitter of retry delays.
    """

    # -- inputs ---------------------------------------------------------------------------------

    def recover(
        self,
        running: Iterable[tuple[int, int]],
        now: float,
        ended: Iterable[tuple[int, int]] = (),
        queued: Iterable[tuple[int, int]] = (),
    ) -> Step:
        """Brings the job to where it goes on, after a start or a restart of its actor.

        ``running`` names the (sheet, attempt) pairs that the worker says are alive, ``ended``
        those whose results are still on their way, ``queued`` those that were granted ahead and
        have not begun. An attempt that we believed to run and that is
        among neither was interrupted: it uses up no retry.
        """
        step = Step()
        self.knows_what_runs = True
        self._find_ahead(queued, step)
        alive = set(running)
        for num, attempt in sorted(alive):
            row = self._row(num)
            if row.status is SheetStatus.RUNNING and row.attempt == attempt:
                continue
            if not row.status.terminal and row.attempt == attempt - 1:
                # The conductor died between telling the worker and committing the start.
                self._start(row, now, step)
            else:
                step.now.append(EndSheets((num,), "lost"))
        alive.update(ended)
        for num, row in sorted(self.rows.items()):
            if row.status is SheetStatus.RUNNING and (num, row.attempt) not in alive:
                self._interrupted(row, lost(row, now), step)
        if self.job.status is JobStatus.RUNNING:
            self._begin(step, now)
        if self.job.status is JobStatus.RUNNING:
            self._skip_hopeless(step, now)
            self._register(step, now)
        elif self.job.status is JobStatus.CANCELLING:
            step.now.append(EndSheets(tuple(self._running()), "cancelled"))
        self._settle(step, now)
        return step

    def grant(self, num: int, now: float) -> Step:
        """The scheduler gives the sheet a slot."""
        step = Step()
        row = self._row(num)
        if self.job.status is not JobStatus.RUNNING or row.status not in (
            SheetStatus.PENDING,
            SheetStatus.WAITING,
        ):
            step.now.append(Release(num))
            return step
        when = self._keep_back(row, now)
        if when is not None:
            step.now.append(Release(num))
            if when < math.inf:
                step.now.append(WakeAt(num, when))
            return step
        completion = row.category == "validation" and row.completions > 0
        context = self._context(row)
        self._start(row, now, step)
        step.now.append(Run(num, row.attempt, row.fallback, completion, **context))
        return step

    def result(self, result: AttemptResult, now: float) -> Step:
        """An attempt ended. A result that is not of the current attempt is only acknowledged; that
        too behind what is on its way to the disk: it may be the same one, come twice."""
        step = Step()
        if result.num > len(self.plan.sheets):
            # Of a sheet that an earlier plan had (modify); it was still in the worker's spool.
            step.after.append(Acknowledge(result.serial))
            return step
        row = self._row(result.num)
        if row.status is not SheetStatus.RUNNING and row.attempt == result.attempt - 1:
            if row.status.terminal:
                step.after.append(Acknowledge(result.serial))
                return step
            self._start(row, result.started_at, step)
        if row.status is not SheetStatus.RUNNING or row.attempt != result.attempt:
            step.after.append(Acknowledge(result.serial))
            return step
        step.now.append(Release(row.num))
        step.after.append(Acknowledge(result.serial))
        row.started_at, row.finished_at = result.started_at, result.finished_at
        row.exit_code, row.signal = result.exit_code, result.signal
        row.category, row.code, row.message = result.category, result.code, result.message
        row.left_running = list(result.left_running)
        row.validations = [
            {"type": v.type, "passed": v.passed, "detail": v.detail} for v in result.validations
        ]
        if result.outcome == "interrupted":
            self._interrupted(row, result, step)
        else:
            self._judged(row, result, now, step)
        self._reported.add(row.num)
        if result.outcome != "skipped":
            self._pace.ended(result.finished_at)
            self._took(result.finished_at - result.started_at)
        if self._budget_spent() and self.job.status is JobStatus.RUNNING:
            step.extend(self.pause("cost", now))
        self._settle(step, now)
        return step

    def due(self, num: int, now: float) -> Step:
        """A waiting sheet's time has come: back to the queue, through the same admission."""
        step = Step()
        row = self._row(num)
        if row.status is SheetStatus.WAITING and (row.due_at or 0) <= now + 0.001:
            self._move(row, SheetStatus.PENDING)
            row.due_at = None
            self._save(step, row)
            if self.job.status is JobStatus.RUNNING:
                step.now.append(Requeue(self._info(row)))
        elif row.status is SheetStatus.WAITING and row.due_at is not None:
            # A timer that came early, or one of an earlier wait: nothing else would come again.
            step.now.append(WakeAt(num, row.due_at))
        elif (
            row.status is SheetStatus.PENDING
            and self.job.status is JobStatus.RUNNING
            and self._is_kept_back(num)
        ):
            step.now.append(Requeue(self._info(row)))
        return step

    def limit_ended(self, num: int, now: float) -> Step:
        """A rate limit was lifted before its time: a sheet that waits for it is due."""
        row = self.rows.get(num)
        if row is not None and row.status is SheetStatus.WAITING and row.category == "rate_limit":
            row.due_at = now
        return self.due(num, now)

    def pause(self, reason: str, now: float) -> Step:
        """Starts no further sheet; the running ones finish, then the job is paused."""
        step = Step()
        if self.job.status is JobStatus.RUNNING:
            self._job(step, JobStatus.PAUSING, reason=reason)
            self._deregister(step)
            self._settle(step, now)
        elif self.job.status is JobStatus.PAUSING and self.job.reason != reason:
            self._job(step, JobStatus.PAUSING, reason=reason)
        return step

    def resume(self, now: float) -> Step:
        """Takes back a pause that has not come into force: the running sheets just go on."""
        step = Step()
        if self.job.status is JobStatus.PAUSING:
            self._job(step, JobStatus.RUNNING, reason=None, crashes=0)
            self._event(step, "job.resumed", now=now)
            self._register(step, now)
        return step

    def cancel(self, now: float) -> Step:
        """Ends the running sheets; what has not run will not."""
        step = Step()
        if self.job.status.terminal or self.job.status is JobStatus.CANCELLING:
            return step
        if self.job.status in (JobStatus.QUEUED, JobStatus.PENDING):
            move(self.job, JobStatus.CANCELLING)  # straight to its end: nothing of it runs
        else:
            self._job(step, JobStatus.CANCELLING)
        self._deregister(step)
        running = tuple(self._running())
        if running:
            step.now.append(EndSheets(running, "cancelled"))
        self._settle(step, now)
        return step

    def reset(self, nums: Iterable[int] | None, now: float) -> Step:
        """Makes failed, cancelled and skipped sheets pending again, for ``retry`` and ``resume``.

        ``nums`` None means every one of them; else those, what they need that did not complete
        (:meth:`unmet`), and the sheets that depend on any of these. Completed sheets stay unless
        they are named or depend on one that is.
        """
        step = Step()
        nums = None if nums is None else set(nums)
        chosen = set() if nums is None else nums | self.unmet(nums)
        for num in tuple(chosen):
            chosen |= self._below(num)
        for num, row in sorted(self.rows.items()):
            ended = row.status.terminal and row.status is not SheetStatus.COMPLETED
            if (nums is None and ended and row.category != "skip_condition") or (
                num in chosen and row.status.terminal
            ):
                self._move(row, SheetStatus.PENDING, asked=True)
                row.failures = row.completions = row.fallback = 0
                row.category = row.code = row.message = row.due_at = None
                self._save(step, row, asked=True)
        return step

    def abandon(self, now: float) -> Step:
        """Cancels a job that has neither actors nor a worker: what ran is lost."""
        step = self.cancel(now)
        step.extend(self.recover((), now))
        return step

    def give_up(self, cause: str, now: float) -> Step:
        """The job's actors cannot be kept alive: it fails, and nothing of it is left open."""
        step = Step()
        for sheet in self.plan.sheets:
            row = self._row(sheet.num)
            if row.status is SheetStatus.RUNNING:
                step.changes.append(AddAttempt(self.job.job_id, lost(row, now)))
            if not row.status.terminal:
                self._move(row, SheetStatus.CANCELLED)
                row.category, row.message, row.due_at = "internal", cause, None
                self._save(step, row)
        self._end(step, JobStatus.FAILED, "job.failed", now, cause)
        return step

    def hold(self, now: float) -> Step:
        """Pauses the job where it stands: even to let its sheets finish kills the conductor."""
        step = Step()
        self._job(step, JobStatus.PAUSED, reason="crashes")
        for num in self._running():
            row = self.rows[num]
            self._interrupted(row, lost(row, now), step)
        self._event(step, "job.paused", data={"reason": "crashes"}, now=now)
        return step

    # -- decisions ------------------------------------------------------------------------------

    def _judged(self, row: SheetRow, result: AttemptResult, now: float, step: Step) -> None:
        self._ended = True
        self._note_instrument(row, result, now, step)
        verdict = self._verdict(row, result, now, step)
        step.changes.append(AddAttempt(self.job.job_id, result))
        if self.job.crashes:
            self._progress_made(step)
        if result.validations:
            good = all(v.passed is not False for v in result.validations)
            self._event(
                step,
                "sheet.validation_passed" if good else "sheet.validation_failed",
                row.num,
                {"attempt": row.attempt, "percent": round(result.pass_percent, 1)},
                now=now,
            )
        data = told(row, result)
        if verdict.kind == "completed":
            self._move(row, SheetStatus.COMPLETED)
            row.category = row.code = row.message = None
            self._event(step, "sheet.completed", row.num, data, now=now)
            step.after.append(Complete(row.num, True))
        elif verdict.kind == "skipped":
            self._move(row, SheetStatus.SKIPPED)
            row.category = "skip_condition"
            self._event(step, "sheet.skipped", row.num, data, now=now)
            step.after.append(Complete(row.num, True))
        elif verdict.kind == "failed":
            self._move(row, SheetStatus.FAILED)
            row.failures += 1
            data |= {"category": row.category, "message": row.message}
            self._event(step, "sheet.failed", row.num, data, now=now)
            self._skip_dependents(row.num, now, step)
            step.after.append(Complete(row.num, False))
        else:
            self._again(row, result, verdict, data, now, step)
        self._save(step, row)

    def _again(
        self,
        row: SheetRow,
        result: AttemptResult,
        verdict: Verdict,
        data: dict[str, object],
        now: float,
        step: Step,
    ) -> None:
        if verdict.kind == "rate_limited":
            pool = self._instrument(row).limit_key
            step.now.append(RateLimited(pool, verdict.delay, row.num))
            self._event(
                step, "sheet.rate_limited", row.num, {**data, "wait": verdict.delay}, now=now
            )
        else:
            if verdict.kind == "completion":
                row.completions += 1
            elif verdict.kind == "fallback":
                row.fallback = self._playable(row, row.fallback + 1)
                row.failures = row.completions = 0
            else:
                row.failures += 1
            self._event(
                step,
                "sheet.retrying",
                row.num,
                {**data, "delay": round(verdict.delay, 3), "how": verdict.kind},
                now=now,
            )
        self._move(row, SheetStatus.WAITING)
        row.due_at = now + verdict.delay
        step.now.append(WakeAt(row.num, row.due_at))

    def _interrupted(self, row: SheetRow, result: AttemptResult, step: Step) -> None:
        now = result.finished_at
        if result.category == "lost":
            self._lost.add(row.num)
        self._note_instrument(row, result, now, step)
        step.changes.append(AddAttempt(self.job.job_id, result))
        self._event(
            step,
            "sheet.interrupted",
            row.num,
            {"attempt": row.attempt, "category": result.category},
            now=now,
        )
        if self.job.status is JobStatus.CANCELLING:
            self._move(row, SheetStatus.CANCELLED)
        elif result.category in CANNOT_BEGIN:
            # Again a little later, until the machine can.
            self._move(row, SheetStatus.WAITING)
            row.category, row.message = result.category, result.message
            row.due_at = now + self._begin_again_after(row.num)
            step.now.append(WakeAt(row.num, row.due_at))
        else:
            self._move(row, SheetStatus.PENDING)
            row.category = row.code = row.message = None
            if self.job.status is JobStatus.RUNNING:
                step.now.append(Requeue(self._info(row)))
        self._save(step, row)

    def _settle(self, step: Step, now: float) -> None:
        """Ends, pauses or cancels the job when nothing of it is left to wait for."""
        status = self.job.status
        running = self.counts[SheetStatus.RUNNING]
        if running or self._ahead or status.terminal or status is JobStatus.PAUSED:
            return
        if status is JobStatus.CANCELLING:
            for sheet in self.plan.sheets:
                row = self._row(sheet.num)
                if not row.status.terminal:
                    self._move(row, SheetStatus.CANCELLED)
                    row.due_at = None
                    self._save(step, row)
            if self.job.reason == "timeout":
                self._end(step, JobStatus.FAILED, "job.failed", now, self.job.error)
            else:
                self._end(step, JobStatus.CANCELLED, "job.cancelled", now)
            return
        ended = sum(self.counts[s] for s in SheetStatus if s.terminal)
        if ended == len(self.plan.sheets):
            if all(self.is_satisfied(s.num) for s in self.plan.sheets):
                self._end(step, JobStatus.COMPLETED, "job.completed", now)
            else:
                self._end(step, JobStatus.FAILED, "job.failed", now, self._what_failed())
        elif status is JobStatus.PAUSING and self.knows_what_runs:
            self._count_time(step, now)
            self._job(step, JobStatus.PAUSED)
            self._event(step, "job.paused", data={"reason": self.job.reason}, now=now)
            step.after.append(Finish(JobStatus.PAUSED))
