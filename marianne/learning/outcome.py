"""What a job had used, from its attempts. Pure.

Memory is measured for each attempt, so a job's is worked out: the most that the attempts that ran
at one time used together. They need not have had their peaks at one moment, so this is an upper
bound; an estimate that is too high makes a job wait a little, one that is too low ends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from marianne.model.result import AttemptResult
from marianne.state.models import JobRow, JobStatus, OutcomeRow


def outcome_of(job: JobRow, attempts: Sequence[AttemptResult], seen_mb: float) -> OutcomeRow | None:
    """The outcome of a job that ended, or None where nothing is to be learned: nothing of it ran,
    or a person cancelled it. ``seen_mb`` is the most that the monitor saw its sheets use."""
    if job.status is JobStatus.CANCELLED or not attempts or job.finished_at is None:
        return None
    failed = job.status is JobStatus.FAILED
    return OutcomeRow(
        job.config_hash,
        job.job_id,
        job.finished_at,
        round(max(peak_together(attempts), seen_mb), 1),
        round(sum(a.cpu_seconds for a in attempts), 3),
        round(job.worked, 3),
        _category(attempts) if failed else None,
    )


def peak_together(attempts: Iterable[AttemptResult]) -> float:
    """The most memory in MB that attempts which ran at one time used, if each used its peak."""
    changes = []
    for a in attempts:
        changes += [(a.started_at, a.peak_memory_mb), (a.finished_at, -a.peak_memory_mb)]
    # What ends makes room before what starts at the same moment: negative numbers go first.
    used = most = 0.0
    for _, change in sorted(changes):
        used += change
        most = max(most, used)
    return most


def _category(attempts: Sequence[AttemptResult]) -> str:
    """Why the last attempt that failed did; ``attempts`` are newest first."""
    return next((a.category or "exit" for a in attempts if a.outcome == "failed"), "internal")
