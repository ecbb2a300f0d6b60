"""How sheets and jobs come to an end without an attempt of their own: functions over the ledger.

Each leaves nothing open that it speaks of, and notes all of it in the step. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.effects import Deregister, Finish, Step
from marianne.model.result import AttemptResult
from marianne.model.result import lost as lost_attempt
from marianne.schedule.waits import AFTER
from marianne.state.changes import AddEvent, Change, UpdateJob
from marianne.state.models import NOT_NEEDED, JobStatus, SheetRow, SheetStatus

_HOW = {SheetStatus.FAILED: "failed", SheetStatus.CANCELLED: "was cancelled"}
_EVENT = {
    JobStatus.COMPLETED: "job.completed",
    JobStatus.FAILED: "job.failed",
    JobStatus.CANCELLED: "job.cancelled",
}
MODIFY = "modify"
"""Why a job pauses that goes on by itself with another plan, which waits for that on disk."""

PENDING = "modify/"
"""Before the job's id: the name of the plan that waits."""

_NAMED = 5
"""So many sheets an error names; of the others it says how many they are."""


def lost(row: SheetRow, now: float) -> AttemptResult:
    """The result of the current attempt if its worker is gone."""
    return lost_attempt(row.num, row.attempt, row.started_at or now, now)


# -- sheets ----------------------------------------------------------------------------------------


def skip_dependents(ledger: Ledger, step: Step, num: int, now: float) -> None:
    """Skips what needs a sheet that ended without success, directly or not; what runs is left.

    Behind one that was not needed that is no failure.
    """
    above = ledger.row(num)
    how = _HOW.get(above.status, "did not run")
    category = NOT_NEEDED if above.good else "dependency"
    for below in sorted(_stopped_by(ledger, num)):
        row = ledger.row(below)
        if row.status.terminal or row.status is SheetStatus.RUNNING:
            continue
        why = f"sheet {num} {how}"
        ledger.set_row(
            step, row, SheetStatus.SKIPPED, category=category, message=why, finished_at=now
        )
        ledger.event(step, "sheet.skipped", below, {"reason": why, "needs": num}, now=now)


def _stopped_by(ledger: Ledger, num: int) -> set[int]:
    """What cannot run when this sheet has not completed: what needs it, directly or not, but for
    what runs for any end, or for a bad one."""
    found: set[int] = set()
    todo = [num]
    while todo:
        for above in ledger.dependents(todo.pop()):
            if ledger.plan.sheets[above - 1].when == "succeeded" and above not in found:
                found.add(above)
                todo.append(above)
    return found


def skip_hopeless(ledger: Ledger, step: Step, now: float) -> None:
    """Skips what waits for a sheet that ended otherwise: nothing would ever wake it.

    A retry leaves such sheets: a dependent of the retried one that needs another failed one.
    """
    ended = [row for row in ledger.rows.values() if row.status.terminal]
    # First what failed: its number is the one that the skipped ones should name.
    for row in sorted(ended, key=lambda row: (row.status is SheetStatus.SKIPPED, row.num)):
        below = ledger.dependents(row.num)  # those that a failure is for are left by what follows
        waits = any(not ledger.peek(n).status.terminal for n in below)
        if waits and not ledger.is_satisfied(row.num):
            skip_dependents(ledger, step, row.num, now)


def leave_out_the_rest(ledger: Ledger, step: Step, why: str) -> None:
    """Cancels every sheet that is not over, because of what happened to others."""
    for row in _open(ledger):
        message = f"not started: {why}"
        ledger.set_row(step, row, SheetStatus.CANCELLED, message=message, due_at=None)


# -- the job ---------------------------------------------------------------------------------------


def end_job(
    ledger: Ledger, step: Step, status: JobStatus, now: float, error: str | None = None
) -> None:
    """The job is over with this final status: nothing of it is queued, it needs no actors."""
    ledger.set_job(step, status, finished_at=now, error=error)
    begun = ledger.job.started_at or now
    times = {"seconds": ledger.work.up_to(now), "elapsed": max(0.0, now - begun)}
    rounded = {name: round(value, 3) for name, value in times.items()}
    data = {"error": error, **rounded, **ledger.progress()}
    ledger.event(step, _EVENT[status], data=data, now=now)
    step.now.append(Deregister())
    step.after.append(Finish(status))


def is_at_an_end(ledger: Ledger) -> bool:
    """Whether all sheets are over, and no other plan is to take their place."""
    job = ledger.job
    replanned = ledger.replanned or job.reason == MODIFY
    return ledger.all_over() and not (replanned and job.status is JobStatus.PAUSING)


def end_by_sheets(ledger: Ledger, step: Step, now: float) -> None:
    """Every sheet is over: the job completed if each can be counted on, else it failed."""
    if all(ledger.peek(sheet.num).good for sheet in ledger.plan.sheets):
        end_job(ledger, step, JobStatus.COMPLETED, now)
    else:
        end_job(ledger, step, JobStatus.FAILED, now, _what_failed(ledger))


def end_cancelled(ledger: Ledger, step: Step, now: float) -> None:
    """Nothing of a job that is being cancelled runs any more; its time was up, or a person wanted
    it."""
    cancel_open(ledger, step)
    if ledger.job.reason == "timeout":
        end_job(ledger, step, JobStatus.FAILED, now, ledger.job.error)
    else:
        failed = [s.num for s in ledger.plan.sheets if s.after_cancel and _failed(ledger, s.num)]
        why = ledger.job.error if ledger.job.reason == AFTER else None
        error = _that_failed(ledger, failed) if failed else why
        end_job(ledger, step, JobStatus.CANCELLED, now, error)


def cancel_open(
    ledger: Ledger, step: Step, spared: Callable[[int], bool] = lambda _: False
) -> None:
    """Cancels every sheet that is not over, but those that are spared."""
    for row in _open(ledger):
        if not spared(row.num):
            ledger.set_row(step, row, SheetStatus.CANCELLED, due_at=None)


def give_up(ledger: Ledger, step: Step, cause: str, now: float) -> None:
    """The job's actors cannot be kept alive: it fails, and what ran is lost."""
    for row in _open(ledger):
        if row.status is SheetStatus.RUNNING:
            step.changes.append(ledger.attempt(row, lost(row, now)))
        ledger.set_row(
            step, row, SheetStatus.CANCELLED, category="internal", message=cause, due_at=None
        )
    end_job(ledger, step, JobStatus.FAILED, now, cause)


def close_row(job_id: str, status: JobStatus, now: float, error: str | None = None) -> list[Change]:
    """Ends a job whose plan cannot be read: its row is all that there is to close."""
    fields = {"status": status, "finished_at": now, "error": error}
    told = AddEvent(job_id, None, _EVENT[status], {"error": error}, now)
    return [UpdateJob(job_id, fields, asked=True), told]


def fail_lost(ledger: Ledger, step: Step, nums: Sequence[int], why: str, now: float) -> None:
    """The job's worker was lost again and again while these sheets ran: they and the job fail."""
    cause = f"{why}; then ran: sheet {_names(ledger, nums)}"
    for num in nums:
        row = ledger.row(num)
        if not row.status.terminal:
            fields = {"category": "worker_lost", "message": why}
            ledger.set_row(step, row, SheetStatus.FAILED, **fields, due_at=None, finished_at=now)
            ledger.event(step, "sheet.failed", num, fields, now=now)
    if ledger.job.status is JobStatus.CANCELLING:
        end_cancelled(ledger, step, now)
        return
    leave_out_the_rest(ledger, step, cause)
    end_job(ledger, step, JobStatus.FAILED, now, cause)


def _open(ledger: Ledger) -> Iterable[SheetRow]:
    """The rows of the sheets that are not over, in order."""
    for sheet in ledger.plan.sheets:
        row = ledger.row(sheet.num)
        if not row.status.terminal:
            yield row


def _what_failed(ledger: Ledger) -> str:
    failed = [n for n in sorted(ledger.rows) if _failed(ledger, n)]
    if failed:
        return _that_failed(ledger, failed)
    # Others ran again by name, and what a cancel had ended was left as it was.
    left = [sheet.num for sheet in ledger.plan.sheets if not ledger.peek(sheet.num).good]
    return f"not completed: {'sheet' if len(left) == 1 else 'sheets'} {_names(ledger, left)}"


def _failed(ledger: Ledger, num: int) -> bool:
    return ledger.peek(num).status is SheetStatus.FAILED


def _that_failed(ledger: Ledger, failed: Sequence[int]) -> str:
    return f"{'sheet' if len(failed) == 1 else 'sheets'} {_names(ledger, failed)} failed"


def _names(ledger: Ledger, nums: Sequence[int]) -> str:
    names = ", ".join(f"{num} ({ledger.plan.sheets[num - 1].name})" for num in nums[:_NAMED])
    return f"{names} and {len(nums) - _NAMED} more" if len(nums) > _NAMED else names
