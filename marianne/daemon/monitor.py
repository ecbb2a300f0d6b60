"""The latest reading of memory and processes, and how it is judged.

In a conductor's tree its actor (:mod:`marianne.daemon.services.monitor`) has it read at an
interval, and everybody else decides by the last reading without asking. A program that has no tree
has it read in its own event loop (:meth:`ResourceMonitor.start`).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.usage import TreeLook, look
from marianne.records import dataclass

if TYPE_CHECKING:
    import asyncio

    from marianne.daemon.config.sections import ResourceLimitConfig
    from marianne.daemon.manager import JobManager
    from marianne.daemon.pgroup import ProcessGroupManager

__all__ = ["ResourceMonitor", "ResourceSnapshot"]

log = get_logger(__name__)

WARN_PERCENT = 80.0
HARD_PERCENT = 95.0
DEGRADED_AFTER = 5
LONGEST_BACKOFF = 300.0


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


class ResourceMonitor:
    """What was seen last, judged by the limits. Safe to read from any thread.

    Without a reading nothing is accepted: a blind conductor takes no risks. Looked at is this
    process, what ``pgroup`` tracks (the workers) and everything below them. Five failed readings
    in a row are degraded mode, which one good reading ends. ``manager`` says how many jobs run.
    """

    def __init__(
        self,
        config: ResourceLimitConfig,
        manager: JobManager | None = None,
        pgroup: ProcessGroupManager | None = None,
    ) -> None:
        self._max_memory_mb, self._max_processes = config.max_memory_mb, config.max_processes
        self._manager = manager
        self.group = pgroup
        """Who says which processes are the workers."""
        self._failures = 0
        self._looking: asyncio.Task[None] | None = None
        self.snapshot: ResourceSnapshot | None = None
        self.beside: Collection[int] = ()
        """Further processes of ours: the heart."""
        self.job_of: Callable[[int], str | None] = lambda pid: None
        """Whose worker a process is; the tree's actor knows."""
        self.active_sheets = 0
        """Sheets that hold a slot; the scheduler's to write."""
        self.by_job: Mapping[str, float] = {}
        """MB that the sheets of each running job used at the last look."""
        self.peak_by_job: dict[str, float] = {}
        """The most of it so far; who learns of a job's end takes it out."""
        self.awaited = False
        """Whether a job waits for memory; the manager's to write, who is told of each reading."""

    # -- looking --------------------------------------------------------------------------------

    async def start(self, interval_seconds: float = 15.0) -> None:
        """Takes a reading now, and at the interval until :meth:`stop`; nothing if it does already.

        For a monitor without a tree: that of a :class:`JobManager` is read by its tree's actor.
        """
        import asyncio

        if self._looking is None:
            await self.check_now()
            self._looking = asyncio.create_task(self._go_on(interval_seconds))

    async def stop(self) -> None:
        """Ends the readings at the interval."""
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()

    async def check_now(self) -> ResourceSnapshot:
        """Takes a reading now and returns it. It ends and pauses nothing.

        In an event loop the look is made in a thread of its own: it may take a while.
        """
        # Another thread may be just importing it: then there is no loop in this one.
        running_loop = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)
        if running_loop is not None and running_loop() is not None:
            await sys.modules["asyncio"].to_thread(self.look)
        else:
            self.look()
        assert self.snapshot is not None
        return self.snapshot

    async def _go_on(self, interval: float) -> None:
        import asyncio

        while True:
            await asyncio.sleep(self.pause(interval))
            await self.check_now()

    def pause(self, interval: float) -> float:
        """Seconds until the next look: twice as many after each failure in degraded mode."""
        if self._failures > DEGRADED_AFTER:
            return min(interval * 2.0 ** (self._failures - DEGRADED_AFTER), LONGEST_BACKOFF)
        return interval

    def look(self) -> TreeLook | None:
        """Takes a reading; returns what was seen, None where it could not be read."""
        workers = self.group.tracked if self.group is not None else ()
        try:
            found = look({os.getpid(), *workers, *self.beside}, workers)
            self._saw(found)
        except (OSError, RuntimeError, ValueError) as error:
            self._failures += 1
            log.warning("probe_failed", error=repr(error), failures=self._failures)
            self.snapshot = ResourceSnapshot(time.monotonic(), 0.0, 0, 0, 0, probe_failed=True)
            return None
        self._failures = 0
        return found

    def _saw(self, found: TreeLook) -> None:
        used: dict[str, float] = {}
        for pid, usage in found.workers.items():
            job_id = self.job_of(pid)
            if job_id is not None:
                used[job_id] = used.get(job_id, 0.0) + usage.memory_mb
        self.saw_jobs(used)
        self.snapshot = ResourceSnapshot(
            time.monotonic(),
            found.total.memory_mb,
            found.total.processes,
            len(used) if self._manager is None else self._manager.running_count,
            self.active_sheets,
            found.zombies,
        )

    def saw_jobs(self, by_job: Mapping[str, float]) -> None:
        """Notes what the jobs' sheets use. A job that is gone for two looks is forgotten."""
        peaks = self.peak_by_job
        for job_id in tuple(peaks.keys() - by_job.keys() - self.by_job.keys()):
            peaks.pop(job_id, None)
        for job_id, used in by_job.items():
            peaks[job_id] = max(used, peaks.get(job_id, 0.0))
        self.by_job = by_job

    # -- judging --------------------------------------------------------------------------------

    @property
    def seconds_since_last_check(self) -> float:
        """Age of the last good reading in seconds; infinite before the first."""
        seen = self.snapshot
        if seen is None or seen.probe_failed:
            return float("inf")
        return time.monotonic() - seen.timestamp

    def is_accepting_work(self) -> bool:
        """Whether memory and processes are both below 80 % of their limits, and were readable."""
        seen = self.snapshot
        if seen is None or seen.probe_failed or self.is_degraded:
            return False
        return (
            100.0 * seen.memory_usage_mb / self._max_memory_mb < WARN_PERCENT
            and 100.0 * seen.child_process_count / self._max_processes < WARN_PERCENT
        )

    @property
    def max_memory_mb(self) -> int:
        """The limit of memory in MB (2**20 bytes)."""
        return self._max_memory_mb

    @property
    def max_processes(self) -> int:
        """The limit of processes."""
        return self._max_processes

    def current_memory_mb(self) -> float | None:
        """Memory of the whole tree in MB; None when the last reading failed."""
        seen = self.snapshot
        return None if seen is None or seen.probe_failed else seen.memory_usage_mb

    @property
    def is_degraded(self) -> bool:
        """Whether five or more readings in a row have failed."""
        return self._failures >= DEGRADED_AFTER

    def update_limits(self, new_limits: ResourceLimitConfig) -> None:
        """Judges by other limits from now on."""
        self._max_memory_mb = new_limits.max_memory_mb
        self._max_processes = new_limits.max_processes

    def set_manager(self, manager: JobManager) -> None:
        """Who says how many jobs run."""
        self._manager = manager

    def in_words(self) -> str:
        """The last reading beside its limits."""
        seen = self.snapshot
        if seen is None or seen.probe_failed or self.is_degraded:
            return "memory and processes could not be read"
        return (
            f"{seen.memory_usage_mb:.0f} of {self._max_memory_mb} MB of memory,"
            f" {seen.child_process_count} of {self._max_processes} processes"
        )

    @property
    def child_processes(self) -> int:
        """Processes of the whole tree, ours included."""
        seen = self.snapshot
        return 0 if seen is None else seen.child_process_count
