"""Which instruments refuse work for now, and until when."""

from __future__ import annotations

import math
import time

from actors import Actor
from marianne.daemon.context import Context
from marianne.daemon.scheduler import GlobalSheetScheduler

LONGEST_WAIT = 3_600.0


class RateLimitCoordinator(Actor):
    """Rate limits by limit key (profile, or profile/model), reported by the jobs' failed runs.

    A limit blocks its key's sheets in the scheduler until it ends; nobody else is slowed.
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._until: dict[str, float] = {}

    def report(self, backend: str, wait_seconds: float, job_id: str) -> None:
        """An instrument refused work for ``wait_seconds`` (0 to 3,600; nonsense counts as 0).

        A limit is never shortened by a later report.
        """
        wait = min(max(0.0, wait_seconds), LONGEST_WAIT) if math.isfinite(wait_seconds) else 0.0
        until = max(self._until.get(backend, 0.0), time.time() + wait)
        self._until[backend] = until
        self._context.scheduler.tell(GlobalSheetScheduler.block, backend, until)

    def active_limits(self) -> dict[str, float]:
        """Seconds left by limit key."""
        now = time.time()
        self._until = {key: until for key, until in self._until.items() if until > now}
        return {key: until - now for key, until in self._until.items()}

    def clear_limits(self, instrument: str | None = None) -> list[str]:
        """Ends the limits of one instrument (all its models), or all; answers their keys."""
        keys = [
            key
            for key in self._until
            if instrument is None or key == instrument or key.startswith(f"{instrument}/")
        ]
        for key in keys:
            del self._until[key]
            self._context.scheduler.tell(GlobalSheetScheduler.block, key, 0.0)
        return keys
