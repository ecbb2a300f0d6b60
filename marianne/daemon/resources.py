"""The latest reading of memory and processes, for those who decide by it without asking.

The monitor replaces the snapshot; every reader sees one whole reading or the other.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

WARN_PERCENT = 80.0
HARD_PERCENT = 95.0


@dataclass(frozen=True, slots=True)
class ResourceSnapshot:
    """One reading. ``timestamp`` is monotonic seconds; memory is in MB (2**20 bytes)."""

    timestamp: float
    memory_usage_mb: float
    child_process_count: int
    running_jobs: int
    active_sheets: int
    zombie_pids: list[int] = field(default_factory=list)
    probe_failed: bool = False


class Resources:
    """What the monitor saw last, judged by the limits. Safe to read from any thread.

    Without a reading nothing is accepted: a blind conductor takes no risks.
    """

    def __init__(self, max_memory_mb: int, max_processes: int) -> None:
        self.max_memory_mb = max_memory_mb
        self.max_processes = max_processes
        self.snapshot: ResourceSnapshot | None = None
        self.is_degraded = False
        self.active_sheets = 0
        """Sheets that hold a slot; the scheduler's to write."""
        self.by_job: Mapping[str, float] = {}
        """MB that the sheets of each running job used at the last look."""
        self.peak_by_job: dict[str, float] = {}
        """The most of it so far; who learns of a job's end takes it out."""
        self.awaited = False
        """Whether a job waits for memory; the manager's to write, who is told of each reading."""

    def saw_jobs(self, by_job: Mapping[str, float]) -> None:
        """Notes what the jobs' sheets use. A job that is gone for two looks is forgotten."""
        peaks = self.peak_by_job
        for job_id in tuple(peaks.keys() - by_job.keys() - self.by_job.keys()):
            peaks.pop(job_id, None)
        for job_id, used in by_job.items():
            peaks[job_id] = max(used, peaks.get(job_id, 0.0))
        self.by_job = by_job

    def is_accepting_work(self) -> bool:
        """Whether memory and processes are both below 80 % of their limits."""
        seen = self.snapshot
        if seen is None or seen.probe_failed or self.is_degraded:
            return False
        return (
            100.0 * seen.memory_usage_mb / self.max_memory_mb < WARN_PERCENT
            and 100.0 * seen.child_process_count / self.max_processes < WARN_PERCENT
        )

    def current_memory_mb(self) -> float | None:
        """Memory of the whole tree in MB; None when the last reading failed."""
        seen = self.snapshot
        return None if seen is None or seen.probe_failed else seen.memory_usage_mb

    def in_words(self) -> str:
        """The last reading beside its limits."""
        seen = self.snapshot
        if seen is None or seen.probe_failed or self.is_degraded:
            return "memory and processes could not be read"
        return (
            f"{seen.memory_usage_mb:.0f} of {self.max_memory_mb} MB of memory,"
            f" {seen.child_process_count} of {self.max_processes} processes"
        )

    @property
    def child_processes(self) -> int:
        """Processes of the whole tree, ours included."""
        seen = self.snapshot
        return 0 if seen is None else seen.child_process_count

    @property
    def seconds_since_last_check(self) -> float:
        """Age of the last good reading in seconds; infinite before the first."""
        seen = self.snapshot
        if seen is None or seen.probe_failed:
            return float("inf")
        return time.monotonic() - seen.timestamp
