"""Why a job is not done, in words for a person. Pure: what is known in, two sentences out."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence

from marianne.daemon.shared import next_steps
from marianne.model.plan import Plan
from marianne.model.result import AttemptResult
from marianne.records import dataclass
from marianne.schedule.waits import AFTER, AT
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus


@dataclass(frozen=True, slots=True)
class Cause:
    """The likely cause, and what to do next (None: nothing)."""

    cause: str
    next: str | None = None


def likely_cause(
    job: JobRow, plan: Plan, rows: Mapping[int, SheetRow], attempts: Sequence[AttemptResult]
) -> Cause:
    """What most likely keeps the job from being completed. ``attempts`` are the newest first."""
    if job.error and job.error.startswith("supervisor gave up"):
        return Cause(
            f"Marianne's own part for this job kept failing ({job.error})",
            "this is a fault of Marianne: `marianne logs` has its traceback; "
            + next_steps.some(job.job_id, job.status, "retry", "wait", "resume"),
        )
    if job.reason == "timeout":
        return Cause(
            f"it {job.error}",
            f"raise that limit (`marianne reload`); `marianne resume {job.job_id}` gives it the "
            "whole time again",
        )
    failed = [row for row in rows.values() if row.status is SheetStatus.FAILED]
    if failed:
        first = min(failed, key=lambda row: row.finished_at or 0.0)
        mine = [a for a in attempts if a.num == first.num]
        return _of_sheet(job, plan, first, mine, len(failed))
    return _of_job(job, plan, rows)


def _of_job(job: JobRow, plan: Plan, rows: Mapping[int, SheetRow]) -> Cause:
    job_id = job.job_id
    match job.status:
        case JobStatus.COMPLETED:
            return Cause("nothing is wrong: every sheet is completed")
        case JobStatus.CANCELLED if job.reason == AFTER:
            return Cause(f"{job.error}", f"`marianne resume {job_id}` runs it all the same")
        case JobStatus.QUEUED if job.reason in (AFTER, AT):
            return Cause(
                "it waits for other jobs or for its time", f"`marianne explain {job_id}` says which"
            )
        case JobStatus.FAILED:
            return Cause(f"{job.error}", f"`marianne retry {job_id}` runs what is left")
        case JobStatus.CANCELLED:
            return Cause("a person cancelled it", f"`marianne resume {job_id}` runs what is left")
        case JobStatus.CANCELLING:
            return Cause("a person cancels it", f"`marianne wait {job_id}` returns when it is over")
        case JobStatus.QUEUED | JobStatus.PENDING:
            return Cause(
                "it waits for room",
                f"`marianne explain {job_id}` says what takes it: other jobs, memory or the disk",
            )
        case JobStatus.PAUSED | JobStatus.PAUSING:
            return paused(job.job_id, job.reason, job.error)
    running = [row for row in rows.values() if row.status is SheetStatus.RUNNING]
    waiting = [row for row in rows.values() if row.status is SheetStatus.WAITING]
    if waiting and not running:
        row = min(waiting, key=lambda r: r.due_at or 0.0)
        name = plan.sheets[row.num - 1].name
        waits = {"rate_limit": "a rate limit", "disk_full": "the disk", "machine": "the machine"}
        why = waits.get(row.category or "", "its next retry")
        said = f": {row.message}" if row.message else ""
        return Cause(f"sheet {row.num} ({name}) waits for {why}{said}")
    if running:
        row = min(running, key=lambda r: r.started_at or 0.0)
        name = plan.sheets[row.num - 1].name
        return Cause(f"nothing is wrong: {len(running)} running, the longest is {row.num} ({name})")
    return Cause("nothing is wrong: its next sheets wait for a slot")


PAUSES = {
    "person": "a person paused it",
    "now": "a person paused it, and what runs stands still",
    "pressure": "the machine was short of memory or processes; it goes on by itself",
    "cost": "it reached its cost limit",
    "crashes": "the conductor died three times in a row while this job ran and made no progress",
    "modify": "it goes on by itself, with its new score, in a moment",
    "chain": "it is done, and the next job of its chain waits for a person",
}
"""What each reason of a pause means."""


def paused(job_id: str, reason: str | None, error: str | None = None) -> Cause:
    """Why a job is paused, and what lets it go on if it does not by itself."""
    cause = PAUSES.get(reason or "", "it is not known why")
    said = f" ({error})" if error else ""
    goes_on = reason in ("pressure", "modify")
    return Cause(cause + said, None if goes_on else f"`marianne resume {job_id}` lets it go on")


def _of_sheet(
    job: JobRow, plan: Plan, row: SheetRow, attempts: Sequence[AttemptResult], failed: int
) -> Cause:
    sheet = plan.sheets[row.num - 1]
    times = sum(a.outcome == "failed" for a in attempts)
    often = f", {times} times" if times > 1 else ""
    others = f" ({failed - 1} more failed after it)" if failed > 1 else ""
    what, hint = _words(job, row, sheet.timeout_seconds, attempts)
    return Cause(f"sheet {row.num} ({sheet.name}) {what}{often}{others}", hint)


def _words(
    job: JobRow, row: SheetRow, timeout: float | None, attempts: Sequence[AttemptResult]
) -> tuple[str, str]:
    message = row.message or "for a reason that it did not say"
    about = (job.job_id, job.status)
    again = next_steps.again(*about, row.num)
    look = f"{next_steps.named('output', job.job_id, row.num, '--stderr')} shows what it said"
    match row.category:
        case "refused":
            return f"was given no batch job: {message}", next_steps.mend(*about)
        case "timeout" if "Slurm" in message:  # its own limit may be another
            return f"came to the end of its batch job: {message}", again
        case "timeout":
            limit = f" of {timeout:g} s" if timeout else ""
            return f"ran longer than its timeout{limit}", f"give it a longer `timeout`; {again}"
        case "idle":
            return f"printed nothing for too long: {message}", look
        case "resource_limit":
            return f"used more memory than it may: {message}", "raise its limit, or make it smaller"
        case "output_limit":
            return f"printed more than is kept: {message}", "send its output to a file"
        case "validation":
            checks = "; ".join(v["detail"] for v in row.validations if v["passed"] is False)
            found = checks or message
            return f"ended well but its work did not pass: {found}", next_steps.look_again(*about)
        case "not_found":
            return f"could not be started: {message}", "install it, or add `instrument_fallbacks`"
        case "template":
            return f"has a prompt that cannot be made: {message}", next_steps.mend(*about)
        case "list":
            return f"made a list that cannot be used: {message}", look
        case "preflight":
            mend = next_steps.mend(*about)
            return (
                f"was not started: {message}",
                f"shorten its prompt ({mend}), or raise the limit in conductor.yaml",
            )
        case "auth":
            go_on = next_steps.go_on(*about, row.num)
            return f"was not let in: {message}", f"log the instrument in, then: {go_on}"
        case "rate_limit":
            go_on = next_steps.go_on(*about, row.num)
            return f"met a rate limit to the end: {message}", f"later: {go_on}"
        case "worker_lost":
            return (
                f"ran when {message}",
                "look whether it kills or stops its parent, or what is done beside it (its prompt, "
                f"a pattern) has no end; {again}",
            )
        case "signal":
            return _killed(row, attempts), look
        case "exit":
            return _exited(row, message), look
    return f"failed ({row.category or 'unknown'}): {message}", look


def _killed(row: SheetRow, attempts: Sequence[AttemptResult]) -> str:
    try:
        name = signal.Signals(row.signal or 0).name
    except ValueError:
        name = f"signal {row.signal}"
    if row.signal == signal.SIGKILL:
        peak = max((a.peak_memory_mb for a in attempts), default=0.0)
        seen = f" (at most {peak:g} MB seen)" if peak else ""
        return f"was killed by {name}, not by us: maybe for its memory{seen}"
    return f"was killed by {name}"


def _exited(row: SheetRow, message: str) -> str:
    known = {
        126: "its command is no program that may be run",
        127: "its command was not found",
        137: "something in it was killed, maybe for its memory",
        143: "something in it was terminated",
    }.get(row.exit_code or 0)
    return f"failed: {known} ({message})" if known else f"failed: {message}"
