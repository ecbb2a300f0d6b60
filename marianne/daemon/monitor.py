"""Watches memory and processes of the whole tree, at an interval, and acts at the hard limit.

At 95 % of a limit: a sheet that alone uses twice the limit, at two looks in a row, is ended with
the reason ``resource_limit``, which counts as an attempt. Pressure that no single sheet explains
pauses the job that uses most (its running sheets finish); it goes on by itself when the pressure
has ended. Never the oldest, never the innocent.

A restart finds nothing and needs nothing: the first look is taken before it serves.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from actors import Actor, Handle, Timer
from marianne.daemon.config.sections import ResourceLimitConfig
from marianne.daemon.context import Context
from marianne.daemon.events import Events
from marianne.daemon.log import get_logger
from marianne.daemon.manager import JobManager
from marianne.daemon.peers import job_of
from marianne.daemon.resources import HARD_PERCENT, ResourceSnapshot
from marianne.daemon.scheduler import GlobalSheetScheduler
from marianne.daemon.store import Store
from marianne.daemon.treelook import TreeLook, Usage, look, sheets_below
from marianne.schedule.pressure import PressureLevel
from marianne.state.changes import AddEvent

log = get_logger(__name__)

DEGRADED_AFTER = 5
LONGEST_BACKOFF = 300.0
CULPRIT_FACTOR = 2.0
"""A sheet that uses so many times the limit explains the pressure by itself."""

CULPRIT_LOOKS = 2


class ResourceMonitor(Actor):
    """Takes a reading every ``monitor_interval_seconds`` (default 15) and shares it.

    Five failed readings in a row are degraded mode: nothing is accepted, and the interval doubles
    up to 300 s; one good reading ends it. Whoever waits for a level to fall is told.
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._failures = 0
        self._over: dict[tuple[str, int], int] = {}
        self._zombies: set[int] = set()
        self._pressed: str | None = None
        self._timer: Timer | None = None

    def on_start(self) -> None:
        """Takes the first reading, so that there is one before the first request."""
        self.set_manager(self._context.manager)
        again = self._context.resources.snapshot is not None
        self.check()
        if again:
            self._tell_of_a_fall()  # who waits for it may not have been told when we died

    # -- the documented face --------------------------------------------------------------------

    def check_now(self) -> ResourceSnapshot:
        """Takes a reading now, shares and answers it. It ends and pauses nothing."""
        self._look()
        assert self._context.resources.snapshot is not None
        return self._context.resources.snapshot

    @property
    def seconds_since_last_check(self) -> float:
        """Age of the last good reading in seconds; infinite before the first."""
        return self._context.resources.seconds_since_last_check

    def is_accepting_work(self) -> bool:
        """Whether memory and processes are both below 80 % of their limits, and were readable."""
        return self._context.resources.is_accepting_work()

    @property
    def max_memory_mb(self) -> int:
        """The limit of memory in MB (2**20 bytes)."""
        return self._context.resources.max_memory_mb

    def current_memory_mb(self) -> float | None:
        """Memory of the whole tree in MB; None when the last reading failed."""
        return self._context.resources.current_memory_mb()

    @property
    def is_degraded(self) -> bool:
        """Whether five or more readings in a row have failed."""
        return self._context.resources.is_degraded

    def update_limits(self, new_limits: ResourceLimitConfig) -> None:
        """Judges by other limits from now on, and looks at once."""
        resources = self._context.resources
        resources.max_memory_mb = new_limits.max_memory_mb
        resources.max_processes = new_limits.max_processes
        self.check()

    def set_manager(self, manager: Handle[JobManager]) -> None:
        """Who pauses a job at the hard limit; by default the tree's own job manager."""
        self._manager: Handle[JobManager] = manager

    def readings(self) -> dict[str, Any]:
        """A reading taken now, and how it is judged; memory in MB, age in seconds."""
        seen = self.check_now()
        return {
            "memory_mb": self.current_memory_mb(),
            "max_memory_mb": self.max_memory_mb,
            "child_processes": seen.child_process_count,
            "accepting_work": self.is_accepting_work(),
            "degraded": self.is_degraded,
            "seconds_since_last_check": self.seconds_since_last_check,
        }

    # -- the loop -------------------------------------------------------------------------------

    def check(self) -> None:
        """Takes a reading, acts at the hard limit, and sets the timer for the next."""
        self._look_at_places()
        found = self._look()
        if found is not None:
            self._act(found)
        if self._context.resources.awaited:
            self._manager.tell(JobManager.pressure_fell)
        interval = self._context.config.monitor_interval_seconds
        if self._failures > DEGRADED_AFTER:
            interval = min(interval * 2.0 ** (self._failures - DEGRADED_AFTER), LONGEST_BACKOFF)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.send_after(interval, self.check)

    def _look_at_places(self) -> None:
        """Files of ours that somebody removed; a home that is gone ends the conductor."""
        places = self._context.places
        if places is None or not self._context.serving:
            return
        if not places.look():
            self._context.stop.ask("stop", why="the home was removed")
            return
        # These know the monitor.
        from marianne.daemon.link import Link
        from marianne.daemon.server import Server

        self._context.events.tell(Events.look)
        self._context.link.tell(Link.look)
        self._context.server.tell(Server.look)

    def _look(self) -> TreeLook | None:
        resources = self._context.resources
        first = resources.snapshot is None
        before = self._context.backpressure.resource_level()
        workers = tuple(self._context.workers)
        found: TreeLook | None = None
        try:
            roots = {os.getpid(), *workers, *filter(None, (self._context.heart_pid,))}
            found = look(roots, workers)
            self._failures = 0
            used = self._used_by_jobs(found)
            resources.saw_jobs(used)
            snapshot = ResourceSnapshot(
                time.monotonic(),
                found.total.memory_mb,
                found.total.processes,
                len(used),
                resources.active_sheets,
                found.zombies,
            )
        except (OSError, RuntimeError, ValueError) as error:
            self._failures += 1
            log.warning("probe_failed", error=repr(error), failures=self._failures)
            snapshot = ResourceSnapshot(time.monotonic(), 0.0, 0, 0, 0, probe_failed=True)
        resources.is_degraded = self._failures >= DEGRADED_AFTER
        resources.snapshot = snapshot
        after = self._context.backpressure.resource_level()
        if after is not before and not first:
            self._changed(before, after)
        return found

    def _used_by_jobs(self, found: TreeLook) -> dict[str, float]:
        used: dict[str, float] = {}
        for pid, job_id in self._jobs(found).items():
            used[job_id] = used.get(job_id, 0.0) + found.workers[pid].memory_mb
        return used

    def _jobs(self, found: TreeLook) -> dict[int, str]:
        """The jobs of the workers that were looked at, by pid."""
        return {
            pid: job_id
            for pid, process in tuple(self._context.workers.items())
            if pid in found.workers and (job_id := job_of(process)) is not None
        }

    def _changed(self, before: PressureLevel, after: PressureLevel) -> None:
        words = self._context.resources.in_words()
        log.warning("pressure", now=str(after), before=str(before), reading=words)
        data = {"level": str(after), "before": str(before), "reading": words}
        event = AddEvent(None, None, "monitor.pressure", data, time.time())
        self._context.store.tell(Store.write, [event], kept=False)
        if after.delay < before.delay:
            self._tell_of_a_fall()

    def _tell_of_a_fall(self) -> None:
        self._context.scheduler.tell(GlobalSheetScheduler.dispatch)
        self._manager.tell(JobManager.pressure_fell)

    # -- the hard limit -------------------------------------------------------------------------

    def _act(self, found: TreeLook) -> None:
        self._reap(found.zombies)
        if 100.0 * self._share(found.total) < HARD_PERCENT:
            self._over.clear()
            self._pressed = None
            return
        jobs = self._jobs(found)
        culprits = self._culprits(found, jobs)
        self._over = {who: self._over.get(who, 0) + 1 for who in culprits}
        for (job_id, num), looks in self._over.items():
            if looks >= CULPRIT_LOOKS:
                self._end(job_id, num, culprits[job_id, num])
        if not culprits and jobs:
            most = max(jobs, key=lambda pid: self._share(found.workers[pid]))
            if found.workers[most].processes:
                if self._pressed != jobs[most]:
                    log.warning("paused_for_pressure", job_id=jobs[most])
                self._pressed = jobs[most]
                self._manager.tell(JobManager.pause_for_pressure, jobs[most])

    def _culprits(self, found: TreeLook, jobs: dict[int, str]) -> dict[tuple[str, int], Usage]:
        culprits = {}
        for pid, job_id in jobs.items():
            if self._share(found.workers[pid]) >= CULPRIT_FACTOR:
                for (job, num), usage in sheets_below(pid).items():
                    if job == job_id and self._share(usage) >= CULPRIT_FACTOR:
                        culprits[job_id, num] = usage
        return culprits

    def _end(self, job_id: str, num: int, usage: Usage) -> None:
        from marianne.daemon.job import Job

        log.error(
            "sheet_over_limit",
            job_id=job_id,
            sheet=num,
            memory_mb=round(usage.memory_mb),
            processes=usage.processes,
        )
        self._context.job(job_id).tell(Job.end_for_resources, num)

    def _share(self, usage: Usage) -> float:
        resources = self._context.resources
        return max(
            usage.memory_mb / max(1, resources.max_memory_mb),
            usage.processes / max(1, resources.max_processes),
        )

    def _reap(self, zombies: list[int]) -> None:
        """What was dead at the last look already was overlooked: the main thread collects it."""
        stale = self._zombies.intersection(zombies)
        self._zombies = set(zombies)
        if stale:
            os.kill(os.getpid(), signal.SIGCHLD)
