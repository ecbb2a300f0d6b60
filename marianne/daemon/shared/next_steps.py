"""Which verb can do something for a job as it stands: hints name no other. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from marianne.state.models import TERMINAL_JOB, JobStatus

J = JobStatus
_LIVE = frozenset(J) - TERMINAL_JOB

WORKS: Mapping[str, frozenset[JobStatus]] = {
    # A paused job is waited for, too, but its end does not come by itself.
    "wait": _LIVE - {J.PAUSED},
    "explain": _LIVE,
    "pause": frozenset({J.QUEUED, J.PENDING, J.RUNNING}),
    "resume": frozenset({J.PAUSING, J.PAUSED, J.FAILED, J.CANCELLED}),
    "cancel": _LIVE - {J.CANCELLING},
    "modify": frozenset(J) - {J.COMPLETED, J.CANCELLING},
    "retry": TERMINAL_JOB,
    "recover": TERMINAL_JOB | {J.PAUSED},
    "clear": TERMINAL_JOB,
}
"""The verbs that a job's state can refuse, and in which it does not."""


def works(verb: str, status: JobStatus) -> bool:
    """Whether the verb can do something for a job of this status; others than these always can."""
    return status in WORKS.get(verb, frozenset(J))


def named(verb: str, *words: object) -> str:
    """A command as a hint writes it."""
    return f"`{' '.join(['marianne', verb, *map(str, words)])}`"


def some(job_id: str, status: JobStatus, *verbs: str) -> str:
    """Those of the verbs that work, as commands; empty where none does."""
    return " or ".join(named(verb, job_id) for verb in verbs if works(verb, status))


def until_over(job_id: str, status: JobStatus) -> str:
    """What to do about a job that is in the way until it is over."""
    return some(job_id, status, "wait" if works("wait", status) else "resume", "cancel")


def again(job_id: str, status: JobStatus, sheet: int) -> str:
    """How a sheet that failed runs again: now, or when its job is over."""
    if works("retry", status):
        return f"{named('retry', job_id, sheet)} runs it again"
    return f"it can run again when the job is over: {until_over(job_id, status)}"


def go_on(job_id: str, status: JobStatus, sheet: int) -> str:
    """How all goes on that failed or was left, of which a sheet is the first."""
    ended = status in TERMINAL_JOB and works("resume", status)
    return named("resume", job_id) if ended else again(job_id, status, sheet)


def look_again(job_id: str, status: JobStatus) -> str:
    """How work that is there after all is taken as done: now, or when its job is at rest."""
    if works("recover", status):
        return f"if the work is there now: {named('recover', job_id)}"
    at_rest = some(job_id, status, "pause", "wait")
    return f"if the work is there now, it can be taken as done when the job rests: {at_rest}"


def mend(job_id: str, status: JobStatus) -> str:
    """How the score of a job is mended."""
    if works("modify", status):
        return f"{named('modify', job_id)} mends it"
    return "mend the score and run it as a new job"
