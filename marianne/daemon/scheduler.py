"""The one place where sheets of all jobs are granted their turn.

:class:`GlobalSheetScheduler` puts the pure queue of :mod:`marianne.schedule.queue` beside the
clock, the rate limits and the backpressure. It owns no execution and starts nothing: its caller
does. In a conductor's tree that is an actor (:mod:`marianne.daemon.services.scheduler`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Protocol

from marianne import clock
from marianne.records import dataclass
from marianne.schedule.entries import SchedulerStats, SheetEntry, SheetInfo
from marianne.schedule.queue import SheetQueue

if TYPE_CHECKING:
    from marianne.daemon.config import DaemonConfig
    from marianne.daemon.context import Context

__all__ = ["GlobalSheetScheduler", "SchedulerStats", "SheetEntry", "SheetInfo"]


class BackpressureChecker(Protocol):
    """Says whether a sheet may start now, and after how many seconds the next one may."""

    async def can_start_sheet(self) -> tuple[bool, float]: ...


class RateLimitChecker(Protocol):
    """Says which limit keys refuse work; read without waiting."""

    def active_limits(self) -> Mapping[str, float]: ...


@dataclass(frozen=True, slots=True)
class Terms:
    """``running`` sheets hold slots already; ``waiting`` ones come by requeueing when their time
    has come. ``max_concurrent`` bounds the job's running sheets, ``pools`` the running sheets of
    each limit key over all jobs, ``agents`` names the keys whose grants count for
    ``max_api_calls_per_minute``."""

    running: frozenset[int] = frozenset()
    waiting: frozenset[int] = frozenset()
    max_concurrent: int | None = None
    pools: Mapping[str, int | None] = field(default_factory=dict)
    agents: Collection[str] = ()


class Unhindered:
    """Nothing slows dispatch: until :meth:`GlobalSheetScheduler.set_backpressure`."""

    async def can_start_sheet(self) -> tuple[bool, float]:
        """At once."""
        return True, 0.0


class GlobalSheetScheduler:
    """Cross-job scheduler of sheets: DAG order, priority, fair share, limits. For one thread.

    A grant (:meth:`next_sheet`) holds a slot until the sheet is complete. Its methods wait for
    nothing unless the backpressure checker does. With a ``tree`` it stands for that tree's, in
    another thread: its actor is asked.
    """

    def __init__(self, config: DaemonConfig, *, tree: Context | None = None) -> None:
        self._tree = tree
        self._terms: dict[str, Terms] = {}
        self.queue = SheetQueue(config.max_concurrent_sheets, config.max_concurrent_agents)
        self.queue.limit_stocks(*config.supply[:2])
        self.queue.limit_calls(config.resource_limits.max_api_calls_per_minute)
        self._backpressure: BackpressureChecker = Unhindered()
        self._last_grant = -math.inf  # monotonic
        self.held_for = 0.0
        """Seconds until the next grant may come, by what the last call of ``next_sheet`` found."""

    def set_rate_limiter(self, rate_limiter: RateLimitChecker) -> None:
        """Takes over the limits that are in force now; later ones come to the queue by themselves:
        :meth:`~marianne.daemon.services.scheduler.SchedulerActor.block`."""
        if self._tree is not None:
            self._tree.scheduler.tell(_actor().set_rate_limiter, rate_limiter)
            return
        now = clock.steady()
        for key, seconds in rate_limiter.active_limits().items():
            self.queue.block(key, now + seconds)

    def set_backpressure(self, backpressure: BackpressureChecker) -> None:
        """Replaces what slows dispatch under load. A delay is the earliest next grant."""
        if self._tree is not None:
            self._tree.scheduler.tell(_actor().set_backpressure, backpressure)
            return
        self._backpressure = backpressure

    def agree(self, job_id: str, terms: Terms) -> None:
        """What holds beside the order of the sheets, for the job that is registered next."""
        self._terms[job_id] = terms

    async def register_job(
        self,
        job_id: str,
        sheets: list[SheetInfo],
        dependencies: dict[int, set[int]] | None = None,
    ) -> None:
        """Takes a job's unfinished sheets, replacing what was known of the job.

        ``dependencies``: for each sheet those that it needs. Raises ValueError on a dependency
        cycle or a sheet number that occurs twice.
        """
        if self._tree is not None:
            await self._tree.scheduler.call(_actor().register_job, job_id, sheets, dependencies)
            return
        terms = self._terms.pop(job_id, None) or Terms()
        self.queue.register(
            job_id,
            sheets,
            dependencies or {},
            now=clock.steady(),
            running=terms.running,
            waiting=terms.waiting,
            max_concurrent=terms.max_concurrent,
            pools=terms.pools,
            agents=terms.agents,
        )

    async def deregister_job(self, job_id: str) -> None:
        """Takes a job's queued sheets out; running ones keep their slots until they are over."""
        if self._tree is not None:
            await self._tree.scheduler.call(_actor().deregister_job, job_id)
            return
        self.queue.deregister(job_id)

    async def next_sheet(self) -> SheetEntry | None:
        """Grants the most urgent sheet that may run now, or None.

        None when all slots are taken, backpressure holds, or nothing that waits may run.
        """
        if self._tree is not None:
            return await self._tree.scheduler.call(_actor().next_sheet)
        self.held_for = 0.0
        now = clock.steady()
        # First whether anything can run: who has nothing to grant neither asks nor waits.
        if not self.queue.can_grant(now):
            return None
        allowed, delay = await self._backpressure.can_start_sheet()
        if not allowed:
            return None  # the monitor says when the level has fallen
        passed = time.monotonic() - self._last_grant
        if passed < delay:
            self.held_for = delay - passed
            return None
        self._last_grant = time.monotonic()
        return self.queue.grant(now)

    async def mark_complete(self, job_id: str, sheet_num: int, success: bool) -> None:
        """A sheet is over: on success its dependents may run; its slot is free if it held one."""
        if self._tree is not None:
            await self._tree.scheduler.call(_actor().mark_complete, job_id, sheet_num, success)
            return
        self.queue.complete(job_id, sheet_num, success, clock.steady())

    async def get_stats(self) -> SchedulerStats:
        """How much is queued and running, in all and per job."""
        if self._tree is not None:
            return await self._tree.scheduler.call(_actor().get_stats)
        return self.queue.stats()

    @property
    def active_count(self) -> int:
        """Running sheets of all jobs."""
        return self._present.active

    @property
    def queued_count(self) -> int:
        """Sheets that wait for a slot."""
        return self._present.queued

    @property
    def _present(self) -> SheetQueue:
        there = self._tree.scheduling if self._tree is not None else None
        return self.queue if there is None else there.queue

    async def hold(self) -> tuple[bool, float]:
        """What backpressure says now: whether a sheet may start, and in how many seconds."""
        allowed, delay = await self._backpressure.can_start_sheet()
        if allowed and delay > 0:
            delay = max(0.0, delay - (time.monotonic() - self._last_grant))
        return allowed, delay

    async def unhindered(self) -> bool:
        """Whether backpressure holds nothing back at all."""
        return await self._backpressure.can_start_sheet() == (True, 0.0)


def _actor() -> Any:
    from marianne.daemon.services.scheduler import SchedulerActor

    return SchedulerActor
