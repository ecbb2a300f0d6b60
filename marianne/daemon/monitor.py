"""Watches memory and processes of the whole tree, at an interval."""

from __future__ import annotations

import os
import time

from actors import Actor
from marianne.daemon.context import Context
from marianne.daemon.log import get_logger
from marianne.daemon.resources import ResourceSnapshot

log = get_logger(__name__)

DEGRADED_AFTER = 5
LONGEST_BACKOFF = 300.0


class ResourceMonitor(Actor):
    """Takes a reading every ``monitor_interval_seconds`` (default 15) and shares it.

    Five failed readings in a row are degraded mode: nothing is accepted, and the interval doubles
    up to 300 s; one good reading ends it.
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._failures = 0

    def on_start(self) -> None:
        """Takes the first reading, so that there is one before the first request."""
        self.check()

    def check(self) -> None:
        """Takes a reading and sets the timer for the next."""
        self.check_now()
        interval = self._context.config.monitor_interval_seconds
        if self._failures > DEGRADED_AFTER:
            interval = min(interval * 2.0 ** (self._failures - DEGRADED_AFTER), LONGEST_BACKOFF)
        self.send_after(interval, self.check)

    def check_now(self) -> ResourceSnapshot:
        """Takes a reading now, shares and answers it."""
        resources = self._context.resources
        try:
            snapshot = _look()
            self._failures = 0
        except (OSError, RuntimeError, ValueError) as error:
            self._failures += 1
            log.warning("probe_failed", error=repr(error), failures=self._failures)
            snapshot = ResourceSnapshot(time.monotonic(), 0.0, 0, 0, 0, probe_failed=True)
        resources.is_degraded = self._failures >= DEGRADED_AFTER
        resources.snapshot = snapshot
        return snapshot


def _look() -> ResourceSnapshot:
    import psutil

    me = psutil.Process(os.getpid())
    memory, zombies, processes = me.memory_info().rss, [], 0
    for child in me.children(recursive=True):
        try:
            with child.oneshot():
                processes += 1
                if child.status() == psutil.STATUS_ZOMBIE:
                    zombies.append(child.pid)
                else:
                    memory += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return ResourceSnapshot(time.monotonic(), memory / 2**20, processes, 0, 0, zombies)
