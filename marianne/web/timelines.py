"""The timelines of the jobs that are looked at: each attempt is asked for once, for all pages."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from marianne.client.conductor import Conductor
from marianne.web.timeline import Attempts

KEPT: Final = 300_000
"""Attempts of all jobs together, and of one job at most."""

AGAIN_SECONDS: Final = 10.0
"""What ended so long before the last end is asked for again: results may come late."""


class Timelines:
    """Lives in one event loop."""

    def __init__(self, conductor: Conductor) -> None:
        self._ask = conductor.ask
        self._jobs: dict[str, Attempts] = {}
        self._turn = asyncio.Lock()

    async def told(self, job: str, first: float | None, last: float | None) -> dict[str, Any]:
        """As :meth:`Attempts.told`, as it is now. Raises CliError where it cannot be had."""
        async with self._turn:
            attempts = self._jobs.pop(job, None) or Attempts()
            await self._refresh(job, attempts)
            self._jobs[job] = attempts
            self._forget()
        return attempts.told(first, last, time.time())

    async def _refresh(self, job: str, attempts: Attempts) -> None:
        since = max(0.0, attempts.newest - AGAIN_SECONDS)
        total = await self._load(job, attempts, since)
        if since and len(attempts) < min(total, KEPT):  # some came later than that
            await self._load(job, attempts, 0.0)

    async def _load(self, job: str, attempts: Attempts, since: float) -> int:
        """Asks for what ended since then; how many there were in all."""
        page = await self._ask("job.timeline", job_id=job, ended_since=since)
        total = int(page["total"])
        attempts.running = list(zip(page["running"], page["running_since"], strict=True))
        attempts.cut(since)
        attempts.add(page)
        while page["cursor"] and len(attempts) < KEPT:
            page = await self._ask(
                "job.timeline", job_id=job, ended_since=since, after=page["cursor"]
            )
            attempts.add(page)
        attempts.order()
        return total

    def _forget(self) -> None:
        """Those that nobody has looked at for the longest go first."""
        while len(self._jobs) > 1 and sum(map(len, self._jobs.values())) > KEPT:
            del self._jobs[next(iter(self._jobs))]
