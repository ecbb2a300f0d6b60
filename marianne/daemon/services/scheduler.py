"""Carries the scheduler in the conductor's tree: tells the job actors what they may start.

After a crash it starts empty; the jobs above it are restarted with it and register again, with
what is running.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from actors import Actor, Promise, Timer
from marianne import clock
from marianne.daemon import ports
from marianne.daemon.at_once import at_once
from marianne.daemon.context import Context
from marianne.daemon.ports import Ticket
from marianne.daemon.scheduler import (
    BackpressureChecker,
    GlobalSheetScheduler,
    RateLimitChecker,
    Terms,
)
from marianne.daemon.views import wire
from marianne.executors.protocol import BATCH
from marianne.schedule.entries import SchedulerStats, SheetEntry, SheetInfo
from marianne.schedule.explain import Explanation
from marianne.schedule.lifts import Lifts, covers

if TYPE_CHECKING:
    from marianne.daemon.config import DaemonConfig
    from marianne.replies.reports import Reason

__all__ = ["SchedulerActor"]


class SchedulerActor(Actor):
    """Grants are told to the actor ``job:<id>/job``. A grant holds a slot until :meth:`release`.
    All methods may be called through a handle from any thread.
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._scheduler = GlobalSheetScheduler(context.config)
        self._queue = self._scheduler.queue
        self._lifts = Lifts()
        self._dirty = False
        self._tickets: dict[str, Ticket | None] = {}
        self._draining = False
        self._drained: list[Promise[None]] = []
        self._wake: Timer | None = None
        self._wake_due = math.inf

    def on_start(self) -> None:
        """The limits in force outlive a crash of this actor, and the conductor itself; so does
        that it stops."""
        self._draining = self._context.stop.mode is not None
        self.set_rate_limiter(self._context.rate_limits)
        self.set_backpressure(self._context.backpressure)
        self.set_limits(self._context.config)
        self._context.scheduling = self._scheduler

    def set_rate_limiter(self, rate_limiter: RateLimitChecker) -> None:
        """Takes over the limits that are in force now."""
        self._scheduler.set_rate_limiter(rate_limiter)
        self._dirty = True

    def set_backpressure(self, backpressure: BackpressureChecker) -> None:
        """Replaces what slows dispatch under load."""
        self._scheduler.set_backpressure(backpressure)
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
        pools: Mapping[str, int | None] | None = None,
        agents: Collection[str] = (),
        ticket: Ticket | None = None,
    ) -> None:
        """As :meth:`GlobalSheetScheduler.register_job`; the rest are its terms, and the ``ticket``
        that all grants of this registration carry."""
        sheets = [self._placed(sheet) for sheet in sheets]
        terms = Terms(frozenset(running), frozenset(waiting), max_concurrent, pools or {}, agents)
        self._scheduler.agree(job_id, terms)
        at_once(self._scheduler.register_job(job_id, sheets, dependencies))
        self._tickets[job_id] = ticket
        lifted = [
            sheet.sheet_num
            for sheet in sheets
            if sheet.sheet_num in terms.waiting and self._lifts.lifted(sheet.pool)
        ]
        if lifted:
            self._context.job(job_id).tell(ports.Job.limit_ended, lifted)
        self._dirty = True

    def extend(
        self, job_id: str, sheets: Sequence[SheetInfo], needs: Mapping[int, Collection[int]]
    ) -> None:
        """As :meth:`marianne.schedule.queue.SheetQueue.extend`."""
        self._queue.extend(job_id, [self._placed(sheet) for sheet in sheets], needs)

    def _placed(self, sheet: SheetInfo) -> SheetInfo:
        """One with a batch job of its own takes a place among those, whatever it takes else."""
        if sheet.batch and self._context.executor.batch_jobs().get(sheet.where):
            return replace(sheet, where=sheet.where + BATCH, cpus=1.0)
        return sheet

    def deregister_job(self, job_id: str) -> None:
        """Takes a job's queued sheets out; running ones keep their slots until released."""
        at_once(self._scheduler.deregister_job(job_id))
        self._dirty = True

    def next_sheet(self) -> SheetEntry | None:
        """The next grant, or None: also while the state cannot be written (the store says when
        that is over), and when the conductor is about to stop."""
        if self._stands_still:
            return None
        entry = at_once(self._scheduler.next_sheet())
        if self._scheduler.held_for > 0:
            self._wake_in(self._scheduler.held_for)
        return entry

    def mark_complete(self, job_id: str, sheet_num: int, success: bool) -> None:
        """A sheet is over: on success its dependents may run."""
        at_once(self._scheduler.mark_complete(job_id, sheet_num, success))
        self._dirty = True

    def get_stats(self) -> SchedulerStats:
        """How much is queued and running, in all and per job."""
        scheduler = self._scheduler
        stats = at_once(scheduler.get_stats())
        return replace(stats, queued=scheduler.queued_count, active=scheduler.active_count)

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
        queue = self._queue
        for num in released:
            queue.release(job_id, num)
        for num, success in completed:
            at_once(self._scheduler.mark_complete(job_id, num, success))
        queue.lending.allow(job_id, lends)
        self._dirty = True

    def forget_job(self, job_id: str) -> None:
        """A job's actors are gone for good: its queued sheets and its slots are free."""
        self._queue.forget(job_id)
        self._tickets.pop(job_id, None)
        self._dirty = True

    def requeue(self, info: SheetInfo) -> None:
        """A sheet that waited or was interrupted stands in line again, as ``info`` says."""
        info = self._placed(info)
        self._queue.requeue(info.job_id, info.sheet_num, info=info, now=clock.steady())
        self._dirty = True

    def block(self, key: str, until: float) -> None:
        """A limit key's sheets wait until a time of :func:`clock.steady`."""
        self._lifts.limit(key)
        if until > clock.steady():
            self._queue.block(key, until)
        else:
            self._end_limits(lambda name: name == key)
        self._dirty = True

    def lift(self, instrument: str | None) -> None:
        """The limits of an instrument (all its models, or one of them), or all, are lifted: what
        waits for them goes on, also of a job that is not registered now."""
        self._lifts.lift(instrument)
        self._end_limits(lambda name: covers(instrument, name))
        self._dirty = True

    def _end_limits(self, meant: Callable[[str], bool]) -> None:
        self._queue.unblock(meant)
        for job_id, nums in self._queue.waiting_in(meant).items():
            self._context.job(job_id).tell(ports.Job.limit_ended, nums)

    def drain(self) -> Promise[None]:
        """Grants nothing any more; answers when no sheet runs: the conductor is about to stop."""
        self._draining = True
        self._dirty = True
        promise: Promise[None] = self.promise()
        self._drained.append(promise)
        return promise

    def set_limits(self, config: DaemonConfig) -> None:
        """Changes the total limits at once; running sheets over them finish."""
        agents = config.max_concurrent_agents
        self._queue.limit_slots(config.max_concurrent_sheets, agents)
        executor = self._context.executor
        for name, room in executor.rooms().items():
            self._queue.limit_elsewhere(name, room, min(room, agents))
        for name, most in executor.batch_jobs().items():
            self._queue.limit_elsewhere(name + BATCH, most, most)
        self._queue.limit_stocks(*config.supply[:2])
        self._queue.limit_calls(config.resource_limits.max_api_calls_per_minute)
        self._dirty = True

    def wanting(self, executor: str) -> int:
        """Ready sheets that wait for nothing but a slot on this one, which is a cluster."""
        return 0 if self._stands_still else self._queue.wanting(executor)

    def room_changed(self) -> None:
        """An executor has room for more sheets, or for fewer."""
        self.set_limits(self._context.config)

    def explain(self, job_id: str, sheet_num: int) -> Explanation:
        """Why a sheet does not run now, as data and in words."""
        found = self._queue.explain(job_id, sheet_num, now=clock.steady())
        name, executor = str(found.data.get("executor", "")), self._context.executor
        if name.endswith(BATCH):
            most = executor.batch_jobs().get(name.removesuffix(BATCH), 0)
            return replace(
                found, text=f"{most} sheets have batch jobs of their own, as many as may"
            )
        if found.code == "total_limit" and name:
            text = f"it waits for a node: {executor.shortage(name)}"
            return replace(found, code="node", text=text)
        if "until" in found.data:
            return replace(found, data={**found.data, "until": clock.to_wall(found.data["until"])})
        if found.code != "next":
            return found
        problem = self._context.storage.problem
        if problem is not None:
            return Explanation("storage", f"the state cannot be written: {problem}")
        if self._draining:
            return Explanation("stopping", "the conductor is about to stop")
        allowed, left = at_once(self._scheduler.hold())
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
    ) -> tuple[dict[int, Reason], SchedulerStats]:
        """Why each of these sheets does not run now (``code``, ``text`` and ``data``), and how
        much is queued and running at that moment."""
        return {num: wire.reason(self.explain(job_id, num)) for num in nums}, self.get_stats()

    # -- dispatch -------------------------------------------------------------------------------

    @property
    def _stands_still(self) -> bool:
        """Whether nothing is granted, whatever waits; who ends that has us dispatch."""
        return self._draining or self._context.storage.problem is not None

    def on_idle(self) -> None:
        """All that came together is known: grant what may run."""
        if self._dirty:
            self._dirty = False
            self.dispatch()
            self._context.resources.active_sheets = self._scheduler.active_count
            if self._drained and self._scheduler.active_count == 0:
                for promise in self._drained:
                    promise.set(None)
                self._drained.clear()

    def dispatch(self) -> None:
        """Grants while something may run; the grants of one job go in one message."""
        granted: dict[str, list[int]] = {}
        while (entry := self.next_sheet()) is not None:
            granted.setdefault(entry.info.job_id, []).append(entry.info.sheet_num)
            self._note_wait(entry)
        ahead = self._ahead(granted)
        for job_id in granted | ahead:
            nums, more = granted.get(job_id, []), ahead.get(job_id, [])
            slots, ticket = self._queue.slots(job_id), self._tickets.get(job_id)
            self._context.job(job_id).tell(ports.Job.granted, nums, more, slots, ticket)
        until = None if self._stands_still else self._queue.next_unblock()
        if until is not None:
            self._wake_in(until - clock.steady())

    def _ahead(self, granted: Collection[str]) -> dict[str, list[int]]:
        """What jobs are lent, as long as nothing holds grants back."""
        if self._stands_still:
            return {}
        if not at_once(self._scheduler.unhindered()):
            return {}
        lent = self._queue.lending.grants(granted)
        for some in lent.values():
            for entry in some:
                self._note_wait(entry)
        return {job_id: [entry.info.sheet_num for entry in some] for job_id, some in lent.items()}

    def _note_wait(self, entry: SheetEntry) -> None:
        self._context.figures.waits.observe(max(0.0, clock.steady() - entry.submitted_at))

    def woken(self) -> None:
        """The timer of what comes next."""
        self._wake, self._wake_due = None, math.inf
        self.dispatch()

    def _wake_in(self, seconds: float) -> None:
        """At the latest then there is something to look at; an earlier timer stays."""
        seconds = min(max(0.001, seconds), clock.LOOK_AGAIN)
        due = time.monotonic() + seconds
        if self._wake is not None:
            if self._wake_due <= due:
                return
            self._wake.cancel()
        self._wake, self._wake_due = self.send_after(seconds, self.woken), due
