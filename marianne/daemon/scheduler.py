"""The one place where sheets of all jobs are granted their turn.

:class:`GlobalSheetScheduler` is a thin actor around the pure queue of
:mod:`marianne.schedule.queue`: it knows the time, asks the backpressure controller, and tells the
job actors what they may start. It owns no execution. After a crash it starts empty; the jobs above
it are restarted with it and register again, with what is running.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from actors import Actor, Promise, Timer
from marianne.daemon.context import Context
from marianne.schedule.entries import SchedulerStats, SheetEntry, SheetInfo
from marianne.schedule.queue import SheetQueue

__all__ = ["GlobalSheetScheduler", "SchedulerStats", "SheetEntry", "SheetInfo"]


class BackpressureChecker(Protocol):
    """Says whether a sheet may start now, and after how many seconds the next one may."""

    def can_start_sheet(self) -> tuple[bool, float]: ...


class GlobalSheetScheduler(Actor):
    """Cross-job scheduler of sheets: DAG order, priority, fair share, limits.

    Jobs register their sheets; grants are told to the actor ``job:<id>/job``. A grant holds a slot
    until :meth:`release`. All methods may be called through a handle from any thread.
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._queue = SheetQueue(context.config.max_concurrent_sheets)
        self._backpressure: BackpressureChecker | None = None
        self._dirty = False
        self._draining = False
        self._drained: list[Promise[None]] = []
        self._earliest = 0.0
        self._wake: Timer | None = None

    # -- the documented face --------------------------------------------------------------------

    def set_backpressure(self, backpressure: BackpressureChecker) -> None:
        """Wires in what slows dispatch under load. A delay is the earliest next grant."""
        self._backpressure = backpressure
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
    ) -> None:
        """Takes a job's unfinished sheets, replacing what was known of the job.

        ``running`` hold slots already; ``waiting`` come by :meth:`requeue` when their time has
        come. ``max_concurrent`` bounds the job's running sheets, ``pools`` the running sheets of
        each limit key over all jobs. Raises ValueError on a dependency cycle or a sheet number
        that occurs twice.
        """
        self._queue.register(
            job_id,
            sheets,
            dependencies or {},
            now=time.time(),
            running=frozenset(running),
            waiting=frozenset(waiting),
            max_concurrent=max_concurrent,
            pools=dict(pools or {}),
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
        now = time.time()
        if self._draining or now < self._earliest or self._context.storage.problem is not None:
            return None
        if self._backpressure is not None:
            allowed, delay = self._backpressure.can_start_sheet()
            if delay > 0:
                self._earliest = now + delay
                self._wake_at(self._earliest)
            if not allowed:
                return None
        return self._queue.grant(now)

    def mark_complete(self, job_id: str, sheet_num: int, success: bool) -> None:
        """A sheet is over: on success its dependents may run; its slot is free if it held one."""
        self._queue.complete(job_id, sheet_num, success, time.time())
        self._dirty = True

    def get_stats(self) -> SchedulerStats:
        """How much is queued and running, in all and per job."""
        return self._queue.stats()

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

    def forget_job(self, job_id: str) -> None:
        """A job's actors are gone for good: its queued sheets and its slots are free."""
        self._queue.forget(job_id)
        self._dirty = True

    def requeue(self, info: SheetInfo) -> None:
        """A sheet that waited or was interrupted stands in line again, as ``info`` says."""
        self._queue.requeue(info.job_id, info.sheet_num, info=info, now=time.time())
        self._dirty = True

    def block(self, key: str, until: float) -> None:
        """A limit key's sheets wait until a time (seconds since the epoch); 0 ends the wait."""
        if until > time.time():
            self._queue.block(key, until)
        else:
            self._queue.unblock(key)
        self._dirty = True

    def drain(self) -> Promise[None]:
        """Grants nothing any more; answers when no sheet runs: the conductor is about to stop."""
        self._draining = True
        self._dirty = True
        promise: Promise[None] = self.promise()
        self._drained.append(promise)
        return promise

    def set_max_concurrent(self, limit: int) -> None:
        """Changes the total limit at once; running sheets over it finish."""
        self._queue.max_concurrent = limit
        self._dirty = True

    def explain(self, job_id: str, sheet_num: int) -> Any:
        """Why a sheet does not run now, as data."""
        return self._queue.explain(job_id, sheet_num, now=time.time())

    # -- dispatch -------------------------------------------------------------------------------

    def on_idle(self) -> None:
        """All that came together is known: grant what may run."""
        if self._dirty:
            self._dirty = False
            self.dispatch()
            if self._drained and self._queue.active == 0:
                for promise in self._drained:
                    promise.set(None)
                self._drained.clear()

    def dispatch(self) -> None:
        """Grants while something may run; the grants of one job go in one message."""
        from marianne.daemon.job import Job

        granted: dict[str, list[int]] = {}
        while (entry := self.next_sheet()) is not None:
            granted.setdefault(entry.info.job_id, []).append(entry.info.sheet_num)
        for job_id, nums in granted.items():
            self._context.job(job_id).tell(Job.granted, nums)
        until = self._queue.next_unblock(time.time())
        if until is not None:
            self._wake_at(until)

    def _wake_at(self, when: float) -> None:
        if self._wake is not None:
            self._wake.cancel()
        self._wake = self.send_after(max(0.001, when - time.time()), self.dispatch)
