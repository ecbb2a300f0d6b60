"""Is the conductor alive, and does it take work?"""

from __future__ import annotations

import math
import os
import time
from typing import Any

from actors import Actor, Outcome, Promise, Timer
from actors.process import Process, ProcessExit
from marianne.clock import steady
from marianne.daemon.context import Context
from marianne.daemon.learning_hub import LearningHub
from marianne.daemon.log import get_logger
from marianne.daemon.manager import JobManager
from marianne.daemon.monitor import ResourceMonitor
from marianne.run.procfs import start_time

log = get_logger(__name__)


FULL_PERCENT = 95.0
"""From here on so many descriptors are open that a job's files and sockets may find none."""

CHECK_EVERY = 10
"""Jobs that come to an end between two checks of the diversity of patterns."""


def liveness(context: Context) -> dict[str, Any]:
    """As :meth:`HealthChecker.liveness` says; from any thread."""
    return {
        "status": "ok",
        "pid": os.getpid(),
        "uptime_seconds": round(steady() - context.started_at, 1),
        "shutting_down": context.stop.mode is not None,
        "storage": context.storage.words() or "ok",
        "starts": context.start_delays.words() or "ok",
        "workers": _silent(context) or "ok",
        "refused_worker_messages": context.peers.refused,
    }


def machine() -> dict[str, Any]:
    """What the machine has left, and what this process has open; each None if it cannot be read.

    ``machine_available_mb`` is the memory (MB) that new processes would get without swapping.
    """
    import psutil

    names = ("machine_available_mb", "descriptors", "max_descriptors")
    try:
        myself = psutil.Process()
        available = round(psutil.virtual_memory().available / 2**20, 1)
        values = (available, myself.num_fds(), myself.rlimit(psutil.RLIMIT_NOFILE)[0])
    except (psutil.Error, OSError) as error:
        log.warning("machine_not_read", error=repr(error))
        return dict.fromkeys(names)
    return dict(zip(names, values, strict=True))


def _crowded(descriptors: int | None, limit: int | None) -> bool:
    """Whether hardly a descriptor is left. Where that cannot be read, none is left to read it."""
    if descriptors is None or limit is None:
        return True
    return limit > 0 and 100.0 * descriptors / limit >= FULL_PERCENT  # -1: no limit


def _silent(context: Context) -> str | None:
    """Words for worker processes that do not answer."""
    silent = sorted(context.silent.items())
    if not silent:
        return None
    names = ", ".join(f"{job_id} (process {pid})" for job_id, pid in silent[:5])
    more = f" and {len(silent) - 5} more" if len(silent) > 5 else ""
    return f"the worker processes of these jobs do not answer: {names}{more}"


class HealthChecker(Actor):
    """Liveness and readiness probes, and regular checks that what is learned stays diverse.

    The checks are after every ten jobs that came to an end, and at the interval
    ``learning.entropy_check_interval_seconds``.
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._ended = 0
        self._timer: Timer | None = None

    def on_start(self) -> None:
        """Watches the heart: without it nobody would replace this conductor."""
        pid = self._context.heart_pid
        if pid is not None:
            heart = self._context.system.processes.adopt(pid, start_time(pid) or 0)
            if heart is not None:
                self.watch(heart)
            else:
                self._heart_died(pid)
        if self._context.heart_lost:
            self._watch_client()
        self.start_periodic_checks()

    def on_process_exit(self, process: Process, exit: ProcessExit) -> None:  # noqa: A002
        """The heart died. The conductor goes on, says so, and is not ready any more.

        Or the client of a private conductor did, which only the heart watches while it lives.
        """
        if self._context.heart_lost:
            self._context.stop.ask("stop")
            return
        self._heart_died(process.pid)

    def _heart_died(self, pid: int) -> None:
        log.error("heart_lost", pid=pid)
        self._context.heart_pid = None
        self._context.heart_lost = True
        self._watch_client()

    def _watch_client(self) -> None:
        if self._context.client is None:
            return
        client = self._context.system.processes.adopt(*self._context.client)
        if client is None:
            self._context.stop.ask("stop")
        else:
            self.watch(client)

    def liveness(self) -> dict[str, Any]:
        """status, pid, uptime_seconds, shutting_down, storage, starts. Asks nobody.

        ``storage`` is ok, or why the state cannot be written at the moment; ``starts`` is ok, or
        why a job cannot be started, which is tried again.
        """
        return liveness(self._context)

    def readiness(self) -> Promise[dict[str, Any]]:
        """Whether new jobs are taken: status ready or not_ready, and what it was judged by.

        ``memory_mb`` is in MB (2**20 bytes), of the whole tree; ``seconds_since_last_check`` is the
        age of the reading, None when there is none. What the machine has left is read anew (see
        :func:`machine`); with 95 % of the descriptors in use we are not ready.
        """
        promise: Promise[dict[str, Any]] = self.promise()
        looked = self._context.monitor.call(ResourceMonitor.readings)
        self.pipe(looked, self.looked, promise)
        return promise

    def looked(self, outcome: Outcome[dict[str, Any]], promise: Promise[dict[str, Any]]) -> None:
        """The monitor took a reading, or is being restarted: then nothing is accepted."""
        readings = outcome.value or {}
        self.pipe(self._context.manager.call(JobManager.counts), self.counted, readings, promise)

    def counted(
        self,
        outcome: Outcome[dict[str, int]],
        readings: dict[str, Any],
        promise: Promise[dict[str, Any]],
    ) -> None:
        """The manager answered, or is being restarted: then we are not ready."""
        elevated = self._context.failures.elevated(time.monotonic())
        accepting = readings.get("accepting_work", False) and not elevated
        age = readings.get("seconds_since_last_check", math.inf)
        stopping = self._context.stop.mode is not None
        lost = self._context.heart_lost
        problem = self._context.storage.words()
        silent = self._context.delivery.degraded
        unreadable = self._context.unreadable
        left = machine()
        crowded = _crowded(left["descriptors"], left["max_descriptors"])
        wrong = stopping or lost or problem or silent or unreadable or crowded
        ready = outcome.ok and accepting and not wrong
        promise.set(
            {
                "status": "ready" if ready else "not_ready",
                "running_jobs": (outcome.value or {}).get("running_jobs", 0),
                "memory_mb": round(readings.get("memory_mb") or 0.0, 1),
                "max_memory_mb": readings.get("max_memory_mb"),
                **left,
                "child_processes": readings.get("child_processes", 0),
                "monitor_degraded": readings.get("degraded", False),
                "seconds_since_last_check": round(age, 1) if age < math.inf else None,
                "accepting_work": accepting,
                "shutting_down": stopping,
                "failure_rate_elevated": elevated,
                "notifications_degraded": silent,
                "heart_lost": lost,
                "storage": problem or "ok",
                "scores": unreadable or "ok",
                "uptime_seconds": round(steady() - self._context.started_at, 1),
            }
        )

    # -- diversity ------------------------------------------------------------------------------

    def on_job_completed(self) -> None:
        """Counts a job that came to an end, however; every tenth has the diversity checked."""
        self._ended += 1
        if self._ended >= CHECK_EVERY:
            self._ended = 0
            self._context.learning.tell(LearningHub.check_diversity)

    def start_periodic_checks(self) -> None:
        """Checks the diversity at the configured interval (seconds, at least 60) from now on.

        Started again it begins a new interval. Nothing is checked while learning is disabled.
        """
        self.stop_periodic_checks()
        seconds = self._context.config.learning.entropy_check_interval_seconds
        self._timer = self.send_after(seconds, self.check)

    def stop_periodic_checks(self) -> None:
        """Ends the checks at the interval; those after ten jobs go on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def check(self) -> None:
        """The interval has passed."""
        self._context.learning.tell(LearningHub.check_diversity)
        self.start_periodic_checks()
