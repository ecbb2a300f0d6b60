"""Is the conductor alive, and does it take work? And is what it learns still diverse?

Judged by what the manager and the monitor say without being asked. In a conductor's tree an actor
(:mod:`marianne.daemon.services.health`) carries it and sees to it that both are fresh.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from marianne.clock import steady
from marianne.daemon.shared.log import get_logger

if TYPE_CHECKING:
    from marianne.daemon.manager import JobManager
    from marianne.daemon.monitor import ResourceMonitor
    from marianne.replies.conductor import Health, Machine, Readiness

log = get_logger(__name__)

FULL_PERCENT = 95.0
"""From here on so many descriptors are open that a job's files and sockets may find none."""

CHECK_EVERY = 10
"""Jobs that come to an end between two checks of the diversity of patterns."""


class GlobalLearningStore(Protocol):
    """What was learned of all jobs."""

    def check_diversity(self) -> Any:
        """Raises the exploration where always the same pattern is used."""


class Timer(Protocol):
    """What a timer can do: be taken back."""

    def cancel(self) -> Any: ...


class HealthChecker:
    """Liveness and readiness probes, and regular checks that what is learned stays diverse.

    The checks are after every ten jobs that came to an end, and at the interval
    ``learning.entropy_check_interval_seconds``; none without a ``learning_store``. ``start_time``
    is in seconds since the epoch, the manager's by default. ``later`` sets the interval's timer:
    in the event loop, or in the actor that carries this.
    """

    def __init__(
        self,
        manager: JobManager,
        monitor: ResourceMonitor,
        *,
        start_time: float | None = None,
        learning_store: GlobalLearningStore | None = None,
        later: Callable[[float, Callable[[], None]], Timer] | None = None,
    ) -> None:
        self._manager = manager
        self._monitor = monitor
        self._started = start_time
        self._learned = learning_store
        self._later = later or _in_the_loop
        self._ended = 0
        self._timer: Timer | None = None

    async def liveness(self) -> dict[str, Any]:
        """status, pid, uptime_seconds, shutting_down, storage, starts. Asks nobody, reads nothing.

        ``storage`` is ok, or why the state cannot be written at the moment; ``starts`` is ok, or
        why a job cannot be started, which is tried again; ``workers`` is ok, or who does not
        answer.
        """
        told: Health = {
            "status": "ok",
            "pid": os.getpid(),
            "uptime_seconds": round(self._uptime, 1),
            "shutting_down": self._manager.shutting_down,
            **self._manager.troubles(),
        }
        return dict(told)

    async def readiness(self) -> dict[str, Any]:
        """Whether new jobs are taken: status ready or not_ready, and what it was judged by.

        ``memory_mb`` is in MB (2**20 bytes), of the whole tree; ``seconds_since_last_check`` is the
        age of the reading, None when there is none. What the machine has left is read anew (see
        :func:`machine`); with 95 % of the descriptors in use we are not ready.
        """
        manager, monitor = self._manager, self._monitor
        elevated = manager.failure_rate_elevated
        accepting = monitor.is_accepting_work() and not elevated
        age = monitor.seconds_since_last_check
        stopping, silent = manager.shutting_down, manager.notifications_degraded
        left = machine()
        hindered, hindrances = manager.hindrances()
        crowded = _crowded(left["descriptors"], left["max_descriptors"])
        ready = accepting and not (stopping or silent or crowded or hindered)
        told: Readiness = {
            "status": "ready" if ready else "not_ready",
            "running_jobs": manager.running_count,
            "memory_mb": round(monitor.current_memory_mb() or 0.0, 1),
            "max_memory_mb": monitor.max_memory_mb,
            **left,
            "child_processes": monitor.child_processes,
            "monitor_degraded": monitor.is_degraded,
            "seconds_since_last_check": round(age, 1) if age < math.inf else None,
            "accepting_work": accepting,
            "shutting_down": stopping,
            "failure_rate_elevated": elevated,
            "notifications_degraded": silent,
            **hindrances,
            "uptime_seconds": round(self._uptime, 1),
        }
        return dict(told)

    @property
    def _uptime(self) -> float:
        if self._started is None:
            return self._manager.uptime_seconds
        return max(0.0, steady() - self._started)

    # -- diversity ------------------------------------------------------------------------------

    def on_job_completed(self) -> None:
        """Counts a job that came to an end, however; every tenth has the diversity checked."""
        self._ended += 1
        if self._ended >= CHECK_EVERY:
            self._ended = 0
            self._check()

    async def start_periodic_checks(self) -> None:
        """Checks the diversity at the configured interval (seconds, at least 60) from now on.

        Started again it begins a new interval. Nothing is checked while learning is disabled.
        """
        await self.stop_periodic_checks()
        self._set_timer()

    async def stop_periodic_checks(self) -> None:
        """Ends the checks at the interval; those after ten jobs go on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def due(self) -> None:
        """The interval has passed."""
        self._check()
        self._set_timer()

    def _set_timer(self) -> None:
        seconds = self._manager.config.learning.entropy_check_interval_seconds
        if self._timer is not None:
            self._timer.cancel()  # what was due may have been on its way as this one was set
        self._timer = self._later(seconds, self.due)

    def _check(self) -> None:
        if self._learned is not None:
            self._learned.check_diversity()


def machine() -> Machine:
    """What the machine has left, and what this process has open; each None if it cannot be read.

    ``machine_available_mb`` is the memory (MB) that new processes would get without swapping.
    """
    import psutil

    try:
        myself = psutil.Process()
        return {
            "machine_available_mb": round(psutil.virtual_memory().available / 2**20, 1),
            "descriptors": myself.num_fds(),
            "max_descriptors": myself.rlimit(psutil.RLIMIT_NOFILE)[0],
        }
    except (psutil.Error, OSError) as error:
        log.warning("machine_not_read", error=repr(error))
        return {"machine_available_mb": None, "descriptors": None, "max_descriptors": None}


def _crowded(descriptors: int | None, limit: int | None) -> bool:
    """Whether hardly a descriptor is left. Where that cannot be read, none is left to read it."""
    if descriptors is None or limit is None:
        return True
    return limit > 0 and 100.0 * descriptors / limit >= FULL_PERCENT  # -1: no limit


def _in_the_loop(seconds: float, call: Callable[[], None]) -> Timer:
    import asyncio

    return asyncio.get_running_loop().call_later(seconds, call)
