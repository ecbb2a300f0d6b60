"""What becomes of a sheet whose attempt ended: over, once more, or back to where it was. Pure."""

from __future__ import annotations

from collections.abc import Callable

from marianne.daemon.job import endings, growing
from marianne.daemon.job.aftermath import Aftermath
from marianne.daemon.job.budget import Budget
from marianne.daemon.job.gate import Gate
from marianne.daemon.job.ledger import Ledger, forget_crashes
from marianne.daemon.shared.effects import Complete, RateLimited, Requeue, Step, WakeAt
from marianne.model.result import AttemptResult
from marianne.schedule.outcome import RateLimits, Verdict, is_quota, judge
from marianne.state.models import JobStatus, SheetRow, SheetStatus
from marianne.state.work_time import WorkTime

CANNOT_BEGIN = frozenset({"disk_full", "machine"})
"""Why an attempt did not begin: the machine could not do it just then."""


class Judgement:
    """Judges results, with the job's other parts. ``random`` gives a number from 0 to 1 for
    the jitter of retry delays.

    A row that is judged is that of the result's sheet, runs, and has the result written into it
    (:func:`write_down`), unless the attempt was lost.
    """

    def __init__(
        self,
        ledger: Ledger,
        budget: Budget,
        gate: Gate,
        aftermath: Aftermath,
        random: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._aftermath = aftermath
        self._budget = budget
        self._gate = gate
        self._random = random
        self._rates = RateLimits.read(ledger.plan.extras.get("rate_limit"))
        self._lost: set[int] = set()
        self._ended = False

    def take_lost(self) -> list[int]:
        """The sheets whose attempts were lost with their worker, since the last call."""
        lost, self._lost = sorted(self._lost), set()
        return lost

    def take_ended(self) -> bool:
        """Whether an attempt came to an end of its own since the last call."""
        ended, self._ended = self._ended, False
        return ended

    def judge(self, step: Step, row: SheetRow, result: AttemptResult, now: float) -> None:
        """An attempt came to an end of its own."""
        ledger = self._ledger
        self._ended = True
        if result.listed is not None:
            result = growing.take(ledger, step, row, result, self._aftermath.grown)
            write_down(row, result, ledger.work)
        self._gate.note(step, row, result, now)
        verdict = self._verdict(step, row, result, now)
        step.changes.append(ledger.attempt(row, result))
        if ledger.job.crashes:
            forget_crashes(ledger.job, step)
        if result.validations:
            self._tell_validations(step, row, result, now)
        data = told(row, result)
        if verdict.kind in ("completed", "skipped"):
            self._satisfied(step, row, verdict, data, now)
        elif verdict.kind == "failed":
            self._failed(step, row, data, now)
        else:
            self._again(step, row, verdict, data, now)
        ledger.save(step, row)

    def interrupt(self, step: Step, row: SheetRow, result: AttemptResult, now: float) -> None:
        """An attempt was ended by us, or lost with its worker: it uses up no retry. Its wait counts
        from ``now``: the clock that its end was read from may have been set since."""
        ledger = self._ledger
        if result.category == "lost":
            self._lost.add(row.num)
        self._gate.note(step, row, result, now)
        step.changes.append(ledger.attempt(row, result))
        data = {"attempt": row.attempt, "category": result.category}
        if result.node is not None:
            data["node"] = result.node
        ledger.event(step, "sheet.interrupted", row.num, data, now=now)
        goes_on = self._aftermath.starts(row.num)
        if ledger.job.status is JobStatus.CANCELLING and not goes_on:
            ledger.move(row, SheetStatus.CANCELLED)
        elif result.category in CANNOT_BEGIN:
            # Again a little later, until the machine can.
            row.category, row.message = result.category, result.message
            self._wait(step, row, now + self._gate.begin_again_after(row.num))
        else:
            ledger.move(row, SheetStatus.PENDING)
            row.category = row.code = row.message = None
            if goes_on:
                step.now.append(Requeue(ledger.info(row)))
        ledger.save(step, row)

    # -- the kinds of verdict -------------------------------------------------------------------

    def _verdict(self, step: Step, row: SheetRow, result: AttemptResult, now: float) -> Verdict:
        """By the sheet's retries, and by what it has used."""
        self._gate.has_begun(row.num)
        sheet = self._ledger.plan.sheets[row.num - 1]
        verdict = judge(
            result,
            sheet.retry,
            failures=row.failures,
            completions=row.completions,
            fallbacks_left=0 if sheet.next_available(row.fallback + 1) is None else 1,
            random=self._random,
            waits=self._budget.waits(row.num, is_quota(result)),
            rates=self._rates,
        )
        return self._budget.book(step, row, result, verdict, now)

    def _tell_validations(
        self, step: Step, row: SheetRow, result: AttemptResult, now: float
    ) -> None:
        good = all(v.passed is not False for v in result.validations)
        event = "sheet.validation_passed" if good else "sheet.validation_failed"
        data = {"attempt": row.attempt, "percent": round(result.pass_percent, 1)}
        self._ledger.event(step, event, row.num, data, now=now)

    def _satisfied(
        self, step: Step, row: SheetRow, verdict: Verdict, data: dict[str, object], now: float
    ) -> None:
        if verdict.kind == "completed":
            self._ledger.move(row, SheetStatus.COMPLETED)
            row.category = row.code = row.message = None
            self._ledger.event(step, "sheet.completed", row.num, data, now=now)
        else:
            self._ledger.move(row, SheetStatus.SKIPPED)
            row.category = "skip_condition"
            self._ledger.event(step, "sheet.skipped", row.num, data, now=now)
        step.after.append(Complete(row.num, True))

    def _failed(self, step: Step, row: SheetRow, data: dict[str, object], now: float) -> None:
        self._ledger.move(row, SheetStatus.FAILED)
        row.failures += 1
        data |= {"category": row.category, "message": row.message}
        self._ledger.event(step, "sheet.failed", row.num, data, now=now)
        endings.skip_dependents(self._ledger, step, row.num, now)
        step.after.append(Complete(row.num, False))

    def _again(
        self, step: Step, row: SheetRow, verdict: Verdict, data: dict[str, object], now: float
    ) -> None:
        """A further attempt follows after the verdict's delay."""
        ledger = self._ledger
        if verdict.kind == "rate_limited":
            pool = ledger.instrument(row).limit_key
            step.now.append(RateLimited(pool, verdict.delay, row.num))
            data["wait"] = verdict.delay
            ledger.event(step, "sheet.rate_limited", row.num, data, now=now)
        else:
            self._count_try(row, verdict)
            data |= {"delay": round(verdict.delay, 3), "how": verdict.kind}
            ledger.event(step, "sheet.retrying", row.num, data, now=now)
        self._wait(step, row, now + verdict.delay)

    def _count_try(self, row: SheetRow, verdict: Verdict) -> None:
        if verdict.kind == "completion":
            row.completions += 1
        elif verdict.kind == "fallback":
            row.fallback = self._ledger.available(row, row.fallback + 1)
            row.failures = row.completions = 0
        else:
            row.failures += 1

    def _wait(self, step: Step, row: SheetRow, due_at: float) -> None:
        self._ledger.move(row, SheetStatus.WAITING)
        row.due_at = due_at
        step.now.append(WakeAt(row.num, due_at))


def write_down(row: SheetRow, result: AttemptResult, work: WorkTime) -> None:
    """Writes into a sheet's row how its attempt ended; its status is yet to be judged."""
    if row.finished_at is None:  # else it is written already, and a list has changed the result
        # What it stood still in between the ledger has taken off when it went on.
        row.worked += max(0.0, result.finished_at - result.started_at)
        row.worked -= work.still(result.started_at, result.finished_at)
    row.started_at, row.finished_at = result.started_at, result.finished_at
    row.exit_code, row.signal = result.exit_code, result.signal
    row.category, row.code, row.message = result.category, result.code, result.message
    row.node, row.walls = result.node or row.node, result.walls or row.walls
    row.left_running = list(result.left_running)
    row.validations = result.checks()


def told(row: SheetRow, result: AttemptResult) -> dict[str, object]:
    """What the event of an attempt's end says."""
    data: dict[str, object] = {
        "attempt": row.attempt,
        "exit_code": result.exit_code,
        "duration": round(result.seconds, 6),
    }
    for name in ("signal", "category", "message", "node"):
        value = getattr(result, name)
        if value is not None:
            data[name] = value
    if result.left_running:
        data["left_running"] = list(result.left_running)
    if result.walls:
        data["walls"] = list(result.walls)
    return data
