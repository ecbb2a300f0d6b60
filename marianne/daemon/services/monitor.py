"""Watches memory and processes of the whole tree, at an interval, and acts at the hard limit.

At 95 % of a limit: a sheet that alone uses twice the limit, at two looks in a row, is ended with
the reason ``resource_limit``, which counts as an attempt. Pressure that no single sheet explains
pauses the job that uses most (its running sheets finish); it goes on by itself when the pressure
has ended. Never the oldest, never the innocent.

A restart finds nothing and needs nothing: the first look is taken before it serves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from actors import Actor, Timer
from marianne.daemon import ports
from marianne.daemon.at_once import at_once
from marianne.daemon.context import Context
from marianne.daemon.monitor import HARD_PERCENT, ResourceSnapshot
from marianne.daemon.services.events import Events
from marianne.daemon.services.scheduler import SchedulerActor
from marianne.daemon.services.serving import Serving
from marianne.daemon.services.store import Store
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.usage import TreeLook, Usage, sheets_below
from marianne.schedule.pressure import PressureLevel
from marianne.state.changes import AddEvent

if TYPE_CHECKING:
    from marianne.daemon.config.sections import ResourceLimitConfig

log = get_logger(__name__)
T = TypeVar("T")

CULPRIT_FACTOR = 2.0
"""A sheet that uses so many times the limit explains the pressure by itself."""

CULPRIT_LOOKS = 2


class MonitorActor(Actor):
    """Takes a reading every ``monitor_interval_seconds`` (default 15) and shares it.

    Five failed readings in a row are degraded mode: nothing is accepted, and the interval doubles
    up to 300 s; one good reading ends it. Whoever waits for a level to fall is told.
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._monitor = context.resources
        self._over: dict[tuple[str, int], int] = {}
        self._zombies: set[int] = set()
        self._pressed: str | None = None
        self._timer: Timer | None = None
        self._level: PressureLevel | None = None

    def on_start(self) -> None:
        """Takes the first reading, so that there is one before the first request."""
        self._monitor.job_of = self._context.executor.job_of
        again = self._monitor.snapshot is not None
        if again:
            self._level = self._context.backpressure.resource_level()
        self.check()
        if again:
            self._tell_of_a_fall()  # who waits for it may not have been told when we died

    # -- asked ----------------------------------------------------------------------------------

    def check_now(self) -> ResourceSnapshot:
        """Takes a reading now, shares and answers it. It ends and pauses nothing."""
        return self._noting(lambda: at_once(self._monitor.check_now()))

    def update_limits(self, new_limits: ResourceLimitConfig) -> None:
        """Judges by other limits from now on, and looks at once."""
        self._monitor.update_limits(new_limits)
        self.check()

    # -- the loop -------------------------------------------------------------------------------

    def check(self) -> None:
        """Takes a reading, acts at the hard limit, and sets the timer for the next."""
        self._look_at_places()
        found = self._look()
        if found is not None:
            self._act(found)
        if self._monitor.awaited:
            self._context.manager.tell(ports.Jobs.pressure_fell)
        interval = self._context.config.monitor_interval_seconds
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.send_after(self._monitor.pause(interval), self.check)

    def _look_at_places(self) -> None:
        """Files of ours that somebody removed; a home that is gone ends the conductor."""
        places = self._context.places
        if places is None or not self._context.serving:
            return
        if not places.look():
            self._context.stop.ask("stop", why="the home was removed")
            return
        self._context.events.tell(Events.look)
        self._context.executor.look()
        self._context.server.tell(ports.Listener.look)
        self._context.metrics.tell(Serving.look)  # the others are at no file

    def _look(self) -> TreeLook | None:
        return self._noting(self._monitor.look)

    def _noting(self, take: Callable[[], T]) -> T:
        """Takes a reading; a level that is another than the last one is an
        event, whoever changed it: others may look, too."""
        self._monitor.beside = tuple(filter(None, (self._context.heart_pid,)))
        taken = take()
        after = self._context.backpressure.resource_level()
        before, self._level = self._level, after
        if before is not None and after is not before:
            self._changed(before, after)
        return taken

    def _jobs(self, found: TreeLook) -> dict[int, str]:
        """The jobs of the workers that were looked at, by pid."""
        jobs = {pid: self._context.executor.job_of(pid) for pid in found.workers}
        return {pid: job_id for pid, job_id in jobs.items() if job_id is not None}

    def _changed(self, before: PressureLevel, after: PressureLevel) -> None:
        words = self._monitor.in_words()
        log.warning("pressure", now=str(after), before=str(before), reading=words)
        data = {"level": str(after), "before": str(before), "reading": words}
        event = AddEvent(None, None, "monitor.pressure", data, time.time())
        self._context.store.tell(Store.write, [event], kept=False)
        if after.delay < before.delay:
            self._tell_of_a_fall()

    def _tell_of_a_fall(self) -> None:
        self._context.scheduler.tell(SchedulerActor.dispatch)
        self._context.manager.tell(ports.Jobs.pressure_fell)

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
                self._context.manager.tell(ports.Jobs.pause_for_pressure, jobs[most])

    def _culprits(self, found: TreeLook, jobs: dict[int, str]) -> dict[tuple[str, int], Usage]:
        culprits = {}
        for pid, job_id in jobs.items():
            if self._share(found.workers[pid]) >= CULPRIT_FACTOR:
                for (job, num), usage in sheets_below(pid).items():
                    if job == job_id and self._share(usage) >= CULPRIT_FACTOR:
                        culprits[job_id, num] = usage
        return culprits

    def _end(self, job_id: str, num: int, usage: Usage) -> None:
        log.error(
            "sheet_over_limit",
            job_id=job_id,
            sheet=num,
            memory_mb=round(usage.memory_mb),
            processes=usage.processes,
        )
        self._context.job(job_id).tell(ports.Job.end_for_resources, num)

    def _share(self, usage: Usage) -> float:
        return max(
            usage.memory_mb / max(1, self._monitor.max_memory_mb),
            usage.processes / max(1, self._monitor.max_processes),
        )

    def _reap(self, zombies: list[int]) -> None:
        """What was dead at the last look already was overlooked: the main thread collects it."""
        stale = self._zombies.intersection(zombies)
        self._zombies = set(zombies)
        if stale:
            self._context.host.child_ended()
