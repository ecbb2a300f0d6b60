"""The one place where sheets of all jobs are granted their turn.

:class:`GlobalSheetScheduler` is a thin actor around the pure queue of
:mod:`marianne.schedule.queue`: it knows the time, asks the backpressure controller, and tells the
job actors what they may start. It owns no execution. After a crash it starts empty; the jobs above
it are restarted with it and register again, with what is running.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from actors import Actor, Promise, Timer
from marianne import clock
from marianne.daemon.context import Context
from marianne.schedule.entries import SchedulerStats, SheetEntry, SheetInfo
from marianne.schedule.explain import Explanation
from marianne.schedule.queue import SheetQueue

__all__ = ["GlobalSheetScheduler", "SchedulerStats", "SheetEntry", "SheetInfo"]


class BackpressureChecker(Protocol):
    """Says whether a sheet may start now, and after how many seconds the next one may."""

    def can_start_sheet(self) -> tuple[bool, float]: ...


class RateLimitChecker(Protocol):
    """Says which limit keys refuse work; read without waiting."""

    def active_limits(self) -> Mapping[str, float]: ...


class GlobalSheetScheduler(Actor):
    """Cross-job scheduler of sheets: DAG order, priority, fair share, limits.

    Jobs register their sheets; grants are told to the actor ``job:<id>/job``. A grant holds a slot
    until :meth:`release`. All methods may be called through a handle from any thread.
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._queue = SheetQueue(context.config.max_concurrent_sheets)
        self._queue.limit_calls(context.config.resource_limits.max_api_calls_per_minute)
        self._dirty = False
        self._draining = False
        self._drained: list[Promise[None]] = []
        self._last_grant = -math.inf  # monotonic
        self._wake: Timer | None = None
        self._wake_due = math.inf

    def on_start(self) -> None:
        """The limits in force outlive a crash of this actor, and the conductor itself; so does
        that it stops."""
        self._draining = self._context.stop.mode is not None
        self.set_rate_limiter(self._context.rate_limits)
        self.set_backpressure(self._context.backpressure)

    # -- the documented face --------------------------------------------------------------------

    def set_rate_limiter(self, rate_limiter: RateLimitChecker) -> None:
        """Takes over the limits that are in force now; later ones come by :meth:`block`."""
        now = clock.steady()
        for key, seconds in rate_limiter.active_limits().items():
            self._queue.block(key, now + seconds)
        self._dirty = True

    def set_backpressure(self, backpressure: BackpressureChecker) -> None:
        """Replaces what slows dispatch under load. A delay is the earliest next grant."""
        self._backpressure: BackpressureChecker = backpressure
        self._dirty = True

    def register_job(
        self,
        job_id: str,
        sheets: list[SheetInfo],
        dependencies: dict[int, set[int]] | None = None,
        *,
        running: Iterable[int] = (),
        waiting: Iterable[int] = (),
        max_concurrent: int | None = None,
        pools: Mapping[str, int] | None = None,
        agents: Collection[str] = (),
    ) -> None:
        """Takes a job's unfinished sheets, replacing what was known of the job.

        ``running`` hold slots already; ``waiting`` come by :meth:`requeue` when their time has
        come. ``max_concurrent`` bounds the job's running sheets, ``pools`` the running sheets of
        each limit key over all jobs, ``agents`` names the keys whose grants count for
        ``max_api_calls_per_minute``. Raises ValueError on a dependency cycle or a sheet number
        that occurs twice.
        """
        self._queue.register(
            job_id,
            sheets,
            dependencies or {},
            now=clock.steady(),
            running=frozenset(running),
            waiting=frozenset(waiting),
            max_concurrent=max_concurrent,
            pools=dict(pools or {}),
            agents=agents,
        )
        self._dirty = True

    def deregister_job(self, job_id: str) -> None:
        """Takes a job's queued sheets out; running ones keep their slots until released."""
        self._queue.deregister(job_id)
        self._dirty = True

    def next_sheet(self) -> SheetEntry | None:
        """Grants the most urgent sheet that may run now, or None.

        None when all slots are taken, backpressure holds, nothing that waits may run, or the state
        cannot be written: the store says when that is over.
        """
        if self._draining or self._context.storage.problem is not None:
            return None
        now = clock.steady()
        # First whether anything can run: who has nothing to grant neither asks nor waits.
        if not self._queue.can_grant(now):
            return None
        allowed, delay = self._backpressure.can_start_sheet()
        if not allowed:
            return None  # the monitor says when the level has fallen
        passed = time.monotonic() - self._last_grant
        if passed < delay:
            self._wake_in(delay - passed)
            return None
        self._last_grant = time.monotonic()
        return self._queue.grant(now)

    def mark_complete(self, job_id: str, sheet_num: int, success: bool) -> None:
        """A sheet is over: on success its dependents may run; its slot is free if it held one."""
        self._queue.complete(job_id, sheet_num, success, clock.steady())
        self._dirty = True

    def get_stats(self) -> SchedulerStats:
        """How much is queued and running, in all and per job."""
        stats = self._queue.stats()
        return replace(stats, queued=self.queued_count, active=self.active_count)

    @property
    def active_count(self) -> int:
        """Running sheets of all jobs."""
        return self._queue.active

    @property
    def queued_count(self) -> int:
        """Sheets that wait for a slot."""
        return self._queue.queued

    # -- for the job actors and the manager -----------------------------------------------------

    def release(self, job_id: str, sheet_num: int) -> None:
        """An attempt ended: its slot is free, whatever becomes of the sheet."""
        self._queue.release(job_id, sheet_num)
        self._dirty = True

    def ended(
        self,
        job_id: str,
        released: Sequence[int],
        completed: Sequence[tuple[int, bool]],
        lends: int,
    ) -> None:
        """What became of a job's sheets since it last said; ``lends`` is how many sheets each of
        its slots may be lent."""
        queue, now = self._queue, clock.steady()
        for num in released:
            queue.release(job_id, num)
        for num, success in completed:
            queue.complete(job_id, num, success, now)
        queue.lend(job_id, lends)
        self._dirty = True

    def forget_job(self, job_id: str) -> None:
        """A job's actors are gone for good: its queued sheets and its slots are free."""
        self._queue.forget(job_id)
        self._dirty = True

    def requeue(self, info: SheetInfo) -> None:
        """A sheet that waited or was interrupted stands in line again, as ``info`` says."""
        self._queue.requeue(info.job_id, info.sheet_num, info=info, now=clock.steady())
        self._dirty = True

    def block(self, key: str, until: float) -> None:
        """A limit key's sheets wait until a time of :func:`clock.steady`; 0 ends the wait."""
        if until > clock.steady():
            self._queue.block(key, until)
        else:
            from marianne.daemon.job import Job

            self._queue.unblock(key)
            for job_id, nums in self._queue.waiting_in(key).items():
                self._context.job(job_id).tell(Job.limit_ended, nums)
        self._dirty = True

    def drain(self) -> Promise[None]:
        """Grants nothing any more; answers when no sheet runs: the conductor is about to stop."""
        self._draining = True
        self._dirty = True
        promise: Promise[None] = self.promise()
        self._drained.append(promise)
        return promise

    def set_limits(self, sheets: int, calls_per_minute: int) -> None:
        """Changes the total limits at once; running sheets over them finish."""
        self._queue.max_concurrent = sheets
        self._queue.limit_calls(calls_per_minute)
        self._dirty = True

    def explain(self, job_id: str, sheet_num: int) -> Explanation:
        """Why a sheet does not run now, as data and in words."""
        found = self._queue.explain(job_id, sheet_num, now=clock.steady())
        if "until" in found.data:
            return replace(found, data={**found.data, "until": clock.to_wall(found.data["until"])})
        if found.code != "next":
            return found
        problem = self._context.storage.problem
        if problem is not None:
            return Explanation("storage", f"the state cannot be written: {problem}")
        if self._draining:
            return Explanation("stopping", "the conductor is about to stop")
        allowed, delay = self._backpressure.can_start_sheet()
        left = 0.0 if allowed else delay
        if allowed and delay > 0:
            left = max(0.0, delay - (time.monotonic() - self._last_grant))
        if left > 0 or not allowed:
            resources = self._context.resources
            level = self._context.backpressure.resource_level()
            text = f"the conductor is under {level} pressure: {resources.in_words()}"
            if allowed:
                text += f"; the next sheet may start in {left:.1f} s"
            return Explanation("pressure", text, {"level": str(level), "seconds": round(left, 1)})
        return found

    def explain_sheets(
        self, job_id: str, nums: Sequence[int]
    ) -> tuple[dict[int, dict[str, Any]], SchedulerStats]:
        """Why each of these sheets does not run now (``code``, ``text`` and ``data``), and how
        much is queued and running at that moment."""
        reasons = {num: self.explain(job_id, num) for num in nums}
        return {
            num: {"code": why.code, "text": why.text, "data": dict(why.data)}
            for num, why in reasons.items()
        }, self.get_stats()

    # -- dispatch -------------------------------------------------------------------------------

    def on_idle(self) -> None:
        """All that came together is known: grant what may run."""
        if self._dirty:
            self._dirty = False
            self.dispatch()
            self._context.resources.active_sheets = self.active_count
            if self._drained and self.active_count == 0:
                for promise in self._drained:
                    promise.set(None)
                self._drained.clear()

    def dispatch(self) -> None:
        """Grants while something may run; the grants of one job go in one message."""
        from marianne.daemon.job import Job

        granted: dict[str, list[int]] = {}
        while (entry := self.next_sheet()) is not None:
            granted.setdefault(entry.info.job_id, []).append(entry.info.sheet_num)
        ahead = self._ahead(granted)
        for job_id in granted | ahead:
            nums, more = granted.get(job_id, []), ahead.get(job_id, [])
            self._context.job(job_id).tell(Job.granted, nums, more, self._queue.slots(job_id))
        now = clock.steady()
        until = self._queue.next_unblock(now)
        if until is not None:
            self._wake_in(until - now)

    def _ahead(self, granted: Collection[str]) -> dict[str, list[int]]:
        """What jobs are lent, as long as nothing holds grants back."""
        if self._draining or self._context.storage.problem is not None:
            return {}
        if self._backpressure.can_start_sheet() != (True, 0.0):
            return {}
        lent = self._queue.grants_ahead(granted)
        return {job_id: [entry.info.sheet_num for entry in some] for job_id, some in lent.items()}

    def woken(self) -> None:
        """The timer of what comes next."""
        self._wake, self._wake_due = None, math.inf
        self.dispatch()

    def _wake_in(self, seconds: float) -> None:
        """At the latest then there is something to look at; an earlier timer stays."""
        due = time.monotonic() + max(0.001, seconds)
        if self._wake is not None:
            if self._wake_due <= due:
                return
            self._wake.cancel()
        self._wake, self._wake_due = self.send_after(max(0.001, seconds), self.woken), due
