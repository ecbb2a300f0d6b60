"""The life of one admitted job as a pure state machine.

It knows the plan and a row for each sheet that was ever started. Every input (a grant, a result,
a timer, a person's wish) returns a :class:`~marianne.daemon.effects.Step` and nothing else
happens: no clock, no I/O, no thread. What a restart finds is what the steps committed; calling
:meth:`JobMachine.recover` on those rows brings every sheet to where it has to go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from copy import copy

from marianne.daemon.effects import (
    Acknowledge,
    Complete,
    Deregister,
    EndSheets,
    Finish,
    RateLimited,
    Register,
    Release,
    Requeue,
    Run,
    Step,
    WakeAt,
)
from marianne.run.result import AttemptResult
from marianne.schedule.entries import SheetInfo
from marianne.schedule.graph import depths
from marianne.schedule.outcome import Verdict, judge
from marianne.score.plan import Instrument, Plan
from marianne.state.changes import AddAttempt, AddEvent, SaveSheet, UpdateJob
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus


class JobMachine:
    """Decides what happens to one job's sheets.

    ``rows`` holds a row for each sheet that was ever touched; the others are pending and were
    never started. ``random`` gives a number from 0 to 1 for the jitter of retry delays.
    """

    def __init__(
        self,
        plan: Plan,
        job: JobRow,
        rows: Mapping[int, SheetRow],
        random: Callable[[], float],
    ) -> None:
        self.plan = plan
        self.job = job
        self.rows: dict[int, SheetRow] = dict(rows)
        self._random = random
        self._dependents: dict[int, list[int]] = {}
        for sheet in plan.sheets:
            for need in sheet.needs:
                self._dependents.setdefault(need, []).append(sheet.num)
        self._depths = depths({s.num: set(s.needs) for s in plan.sheets})
        self.counts: Counter[SheetStatus] = Counter(row.status for row in self.rows.values())
        self.counts[SheetStatus.PENDING] += len(plan.sheets) - len(self.rows)

    # -- inputs ---------------------------------------------------------------------------------

    def recover(self, running: Iterable[tuple[int, int]], now: float) -> Step:
        """Brings the job to where it goes on, after a start or a restart of its actor.

        ``running`` names the (sheet, attempt) pairs that the worker says are alive. An attempt
        that we believed to run and that is not among them was interrupted: it uses up no retry.
        """
        step = Step()
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
        for num, row in sorted(self.rows.items()):
            if row.status is SheetStatus.RUNNING and (num, row.attempt) not in alive:
                self._interrupted(row, _lost(row, now), step)
        if self.job.status is JobStatus.RUNNING:
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
        completion = row.category == "validation" and row.completions > 0
        self._start(row, now, step)
        sheet = self.plan.sheets[num - 1]
        outputs, skipped = self._seen_by(num)
        step.now.append(
            Run(num, row.attempt, row.fallback, completion, outputs, skipped)
            if sheet.cross_sheet
            else Run(num, row.attempt, row.fallback, completion)
        )
        return step

    def result(self, result: AttemptResult, now: float) -> Step:
        """An attempt ended. A result that is not of the current attempt is only acknowledged."""
        step = Step()
        row = self._row(result.num)
        if row.status is not SheetStatus.RUNNING and row.attempt == result.attempt - 1:
            if row.status.terminal:
                step.now.append(Acknowledge(result.serial))
                return step
            self._start(row, result.started_at, step)
        if row.status is not SheetStatus.RUNNING or row.attempt != result.attempt:
            step.now.append(Acknowledge(result.serial))
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
        return step

    def pause(self, reason: str, now: float) -> Step:
        """Starts no further sheet; the running ones finish, then the job is paused."""
        step = Step()
        if self.job.status is JobStatus.RUNNING:
            self._job(step, JobStatus.PAUSING, reason=reason)
            step.now.append(Deregister())
            self._settle(step, now)
        return step

    def resume(self, now: float) -> Step:
        """Takes back a pause that has not come into force: the running sheets just go on."""
        step = Step()
        if self.job.status is JobStatus.PAUSING:
            self._job(step, JobStatus.RUNNING, reason=None)
            self._event(step, "job.resumed", now=now)
            self._register(step, now)
        return step

    def cancel(self, now: float) -> Step:
        """Ends the running sheets; what has not run will not."""
        step = Step()
        if self.job.status.terminal or self.job.status is JobStatus.CANCELLING:
            return step
        self._job(step, JobStatus.CANCELLING)
        step.now.append(Deregister())
        running = tuple(self._running())
        if running:
            step.now.append(EndSheets(running, "cancelled"))
        self._settle(step, now)
        return step

    def reset(self, nums: Iterable[int] | None, now: float) -> Step:
        """Makes failed, cancelled and skipped sheets pending again, for ``retry`` and ``resume``.

        ``nums`` None means every one of them; else those and the sheets that depend on them.
        Completed sheets stay unless they are named.
        """
        step = Step()
        chosen = set(nums) if nums is not None else set()
        for num in tuple(chosen):
            chosen |= self._below(num)
        for num, row in sorted(self.rows.items()):
            ended = row.status.terminal and row.status is not SheetStatus.COMPLETED
            if (nums is None and ended and row.category != "skip_condition") or (
                num in chosen and row.status.terminal
            ):
                self._move(row, SheetStatus.PENDING)
                row.failures = row.completions = row.fallback = 0
                row.category = row.code = row.message = row.due_at = None
                self._save(step, row)
        return step

    def began(self, num: int, attempt: int, started_at: float) -> None:
        """The worker says when an attempt really began; shown until its result comes."""
        row = self.rows.get(num)
        if row is not None and row.status is SheetStatus.RUNNING and row.attempt == attempt:
            row.started_at = started_at

    def give_up(self, cause: str, now: float) -> Step:
        """The job's actors cannot be kept alive: it fails, and nothing of it is left open."""
        step = Step()
        for sheet in self.plan.sheets:
            row = self._row(sheet.num)
            if row.status is SheetStatus.RUNNING:
                step.changes.append(AddAttempt(self.job.job_id, _lost(row, now)))
            if not row.status.terminal:
                self._move(row, SheetStatus.CANCELLED)
                row.category, row.message, row.due_at = "internal", cause, None
                self._save(step, row)
        self._end(step, JobStatus.FAILED, "job.failed", now, cause)
        return step

    # -- what others read -----------------------------------------------------------------------

    def progress(self) -> dict[str, int]:
        """Counts of sheets by outcome; ready and waiting count as pending."""
        counts = self.counts
        return {
            "completed": counts[SheetStatus.COMPLETED],
            "failed": counts[SheetStatus.FAILED],
            "skipped": counts[SheetStatus.SKIPPED],
            "cancelled": counts[SheetStatus.CANCELLED],
            "running": counts[SheetStatus.RUNNING],
            "pending": counts[SheetStatus.PENDING]
            + counts[SheetStatus.READY]
            + counts[SheetStatus.WAITING],
            "total": len(self.plan.sheets),
        }

    def is_satisfied(self, num: int) -> bool:
        """Whether dependents may count on the sheet: completed, or skipped by its condition."""
        row = self.rows.get(num)
        return row is not None and (
            row.status is SheetStatus.COMPLETED
            or (row.status is SheetStatus.SKIPPED and row.category == "skip_condition")
        )

    # -- decisions ------------------------------------------------------------------------------

    def _judged(self, row: SheetRow, result: AttemptResult, now: float, step: Step) -> None:
        sheet = self.plan.sheets[row.num - 1]
        verdict: Verdict = judge(
            result,
            sheet.retry,
            failures=row.failures,
            completions=row.completions,
            fallbacks_left=len(sheet.fallbacks) - row.fallback,
            random=self._random,
        )
        step.changes.append(AddAttempt(self.job.job_id, result))
        if result.validations:
            good = all(v.passed is not False for v in result.validations)
            self._event(
                step,
                "sheet.validation_passed" if good else "sheet.validation_failed",
                row.num,
                {"attempt": row.attempt, "percent": round(result.pass_percent, 1)},
                now=now,
            )
        data = _told(row, result)
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
            step.now.append(RateLimited(pool, verdict.delay))
            self._event(
                step, "sheet.rate_limited", row.num, {**data, "wait": verdict.delay}, now=now
            )
        else:
            if verdict.kind == "completion":
                row.completions += 1
            elif verdict.kind == "fallback":
                row.fallback += 1
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
        else:
            self._move(row, SheetStatus.PENDING)
            row.category = row.code = row.message = None
            if self.job.status is JobStatus.RUNNING:
                step.now.append(Requeue(self._info(row)))
        self._save(step, row)

    def _skip_dependents(self, num: int, now: float, step: Step) -> None:
        for below in sorted(self._below(num)):
            row = self._row(below)
            if row.status.terminal or row.status is SheetStatus.RUNNING:
                continue
            self._move(row, SheetStatus.SKIPPED)
            row.category = "dependency"
            row.message = f"sheet {num} failed"
            row.finished_at = now
            self._save(step, row)
            self._event(
                step, "sheet.skipped", below, {"reason": row.message, "needs": num}, now=now
            )

    def _settle(self, step: Step, now: float) -> None:
        """Ends, pauses or cancels the job when nothing of it is left to wait for."""
        status = self.job.status
        running = self.counts[SheetStatus.RUNNING]
        if running or status.terminal or status is JobStatus.PAUSED:
            return
        if status is JobStatus.CANCELLING:
            for sheet in self.plan.sheets:
                row = self._row(sheet.num)
                if not row.status.terminal:
                    self._move(row, SheetStatus.CANCELLED)
                    row.due_at = None
                    self._save(step, row)
            self._end(step, JobStatus.CANCELLED, "job.cancelled", now)
            return
        ended = sum(self.counts[s] for s in SheetStatus if s.terminal)
        if ended == len(self.plan.sheets):
            if all(self.is_satisfied(s.num) for s in self.plan.sheets):
                self._end(step, JobStatus.COMPLETED, "job.completed", now)
            else:
                self._end(step, JobStatus.FAILED, "job.failed", now, self._what_failed())
        elif status is JobStatus.PAUSING:
            self._job(step, JobStatus.PAUSED)
            self._event(step, "job.paused", data={"reason": self.job.reason}, now=now)
            step.after.append(Finish(JobStatus.PAUSED))

    # -- small parts ----------------------------------------------------------------------------

    def _start(self, row: SheetRow, now: float, step: Step) -> None:
        self._move(row, SheetStatus.RUNNING)
        row.attempt += 1
        row.started_at, row.finished_at, row.due_at = now, None, None
        row.exit_code = row.signal = None
        row.validations, row.left_running = [], []
        self._save(step, row)
        self._event(
            step,
            "sheet.started",
            row.num,
            {"attempt": row.attempt, "instrument": self._instrument(row).profile},
            now=now,
        )

    def _register(self, step: Step, now: float) -> None:
        sheets, needs, waiting = [], {}, set()
        for sheet in self.plan.sheets:
            row = self.rows.get(sheet.num) or SheetRow(sheet.num)
            if row.status.terminal:
                continue
            sheets.append(self._info(row))
            needs[sheet.num] = {n for n in sheet.needs if not self.is_satisfied(n)}
            if row.status is SheetStatus.WAITING:
                waiting.add(sheet.num)
                step.now.append(WakeAt(sheet.num, row.due_at or now))
        running = frozenset(self._running())
        step.now.insert(0, Register(tuple(sheets), needs, running, frozenset(waiting)))

    def _info(self, row: SheetRow) -> SheetInfo:
        instrument = self._instrument(row)
        return SheetInfo(
            self.job.job_id,
            row.num,
            backend_type=instrument.profile,
            model=instrument.model,
            dag_depth=self._depths[row.num],
            job_priority=self.job.priority,
            retries_so_far=row.failures,
        )

    def _end(
        self, step: Step, status: JobStatus, event: str, now: float, error: str | None = None
    ) -> None:
        self.job.finished_at = now
        self._job(step, status, finished_at=now, error=error)
        self._event(step, event, data={"error": error, **self.progress()}, now=now)
        step.now.append(Deregister())
        step.after.append(Finish(status))

    def _job(self, step: Step, status: JobStatus, **fields: object) -> None:
        self.job.status = status
        for name, value in fields.items():
            setattr(self.job, name, value)
        step.changes.append(UpdateJob(self.job.job_id, {"status": status, **fields}))

    def _event(
        self,
        step: Step,
        event: str,
        num: int | None = None,
        data: Mapping[str, object] | None = None,
        *,
        now: float,
    ) -> None:
        step.changes.append(AddEvent(self.job.job_id, num, event, dict(data or {}), now))

    def _save(self, step: Step, row: SheetRow) -> None:
        # A copy: the store reads it later, in its own thread, while this row goes on changing.
        step.changes.append(SaveSheet(self.job.job_id, copy(row)))

    def _row(self, num: int) -> SheetRow:
        row = self.rows.get(num)
        if row is None:
            row = self.rows[num] = SheetRow(num)
        return row

    def _move(self, row: SheetRow, status: SheetStatus) -> None:
        self.counts[row.status] -= 1
        self.counts[status] += 1
        row.status = status

    def _running(self) -> list[int]:
        return sorted(n for n, r in self.rows.items() if r.status is SheetStatus.RUNNING)

    def _below(self, num: int) -> set[int]:
        found: set[int] = set()
        todo = [num]
        while todo:
            for below in self._dependents.get(todo.pop(), ()):
                if below not in found:
                    found.add(below)
                    todo.append(below)
        return found

    def _instrument(self, row: SheetRow) -> Instrument:
        sheet = self.plan.sheets[row.num - 1]
        return sheet.fallbacks[row.fallback - 1] if row.fallback else sheet.instrument

    def _seen_by(self, num: int) -> tuple[dict[int, int], tuple[int, ...]]:
        """Completed earlier sheets (with their attempt) and skipped ones within the lookback."""
        cross = self.plan.sheets[num - 1].cross_sheet
        if cross is None:
            return {}, ()
        first = max(1, num - cross.lookback_sheets) if cross.lookback_sheets else 1
        outputs: dict[int, int] = {}
        skipped: list[int] = []
        for earlier in range(first, num):
            row = self.rows.get(earlier)
            if row is not None and row.status is SheetStatus.COMPLETED:
                outputs[earlier] = row.attempt
            elif row is not None and row.status is SheetStatus.SKIPPED:
                skipped.append(earlier)
        return outputs, tuple(skipped)

    def _what_failed(self) -> str:
        failed = [n for n, r in sorted(self.rows.items()) if r.status is SheetStatus.FAILED]
        names = ", ".join(f"{n} ({self.plan.sheets[n - 1].name})" for n in failed[:5])
        more = f" and {len(failed) - 5} more" if len(failed) > 5 else ""
        return f"sheet {names}{more} failed" if len(failed) == 1 else f"sheets {names}{more} failed"


def _lost(row: SheetRow, now: float) -> AttemptResult:
    return AttemptResult(
        row.num,
        row.attempt,
        "interrupted",
        row.started_at or now,
        now,
        category="lost",
        message="the worker process was lost while the sheet ran",
    )


def _told(row: SheetRow, result: AttemptResult) -> dict[str, object]:
    data: dict[str, object] = {
        "attempt": row.attempt,
        "exit_code": result.exit_code,
        "duration": round(result.finished_at - result.started_at, 6),
    }
    for name in ("signal", "category", "message"):
        value = getattr(result, name)
        if value is not None:
            data[name] = value
    if result.left_running:
        data["left_running"] = list(result.left_running)
    return data
