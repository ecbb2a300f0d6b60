"""Which sheet runs next: a pure queue over all jobs.

It knows no clock and does no I/O: times are given, and a grant is only told. The rules, as
documented: the smallest priority goes first (``base_priority`` plus, for a job that already has
its fair share, 20 for each running sheet from there on); ties go by the time of becoming ready; a
job never has more than twice its fair share; the fair share is ``max_concurrent`` divided by the
jobs that compete. Sheets of agents may have slots of their own (``agents``), with the same rules
among themselves. Beside that: limits per job and per pool, pools that are blocked for a time, and
ageing.

Ageing: a line of sheets that is passed over gains 5 points for every 100 grants. So whatever
else arrives, a sheet that may run is granted within a bound that depends only on the number of
jobs and on the difference of priorities; and within 100 grants the documented order is exact.

What sheets take of graphics processors and memory is in :mod:`marianne.schedule.stocks`.

A grant costs O(log n) in the sheets queued, and O(p log p) in the pools and the ranks of what is
taken of those.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from marianne.schedule.entries import HERE, SchedulerStats, SheetEntry, SheetInfo
from marianne.schedule.explain import Explanation, explain, explain_queued
from marianne.schedule.graph import dependents, find_cycle
from marianne.schedule.lending import Lending
from marianne.schedule.lines import Job
from marianne.schedule.order import Order

__all__ = ["Explanation", "SchedulerStats", "SheetEntry", "SheetInfo", "SheetQueue"]


class SheetQueue:
    """The queue. ``max_concurrent`` bounds the slots that sheets hold, over all jobs; with
    ``agents`` given, those of agents are bounded by that instead.

    A granted sheet holds a slot until ``release``, ``complete`` or ``requeue``. Calls about a job
    or a sheet that is not known are ignored: messages cross. ``lending`` gives sheets of running
    jobs that hold no slot of their own yet.
    """

    def __init__(self, max_concurrent: float, agents: int | None = None) -> None:
        self._jobs: dict[str, Job] = {}
        self._order = Order(max_concurrent, agents)
        self.lending = Lending(self._jobs, self._order)

    def limit_slots(self, max_concurrent: float, agents: int | None = None) -> None:
        """Changes the limits; running sheets over them finish."""
        self._order.scripts.limit = max_concurrent
        if agents is not None:
            self._order.agents.limit = agents

    def limit_elsewhere(self, where: str, scripts: float, agents: float) -> None:
        """Changes how many sheets there is room for on an executor that is not the conductor's own
        machine (at first none), of scripts and of agents."""
        self._order.limit_elsewhere(where, scripts, agents)

    def limit_stocks(self, gpus: float, memory_mb: float) -> None:
        """Changes what there is of both (at first no limit); who has more keeps it."""
        self._order.stocks.limits = (gpus, memory_mb)

    # -- jobs -----------------------------------------------------------------------------------

    def register(
        self,
        job_id: str,
        sheets: Iterable[SheetInfo],
        dependencies: Mapping[int, Collection[int]] | None = None,
        *,
        now: float = 0.0,
        running: Collection[int] = (),
        waiting: Collection[int] = (),
        max_concurrent: int | None = None,
        pools: Mapping[str, int | None] | None = None,
        agents: Collection[str] = (),
    ) -> None:
        """Takes a job's unfinished sheets, replacing all that was known of the job.

        ``dependencies`` maps a sheet to what it still needs; a number that is not among the
        sheets is never satisfied by itself. ``running`` hold slots already; ``waiting`` come by
        ``requeue``. ``pools`` sets limits of pools, ``agents`` names those that count as
        calls. Raises ValueError for a cycle or a sheet
        that occurs twice, and then changes nothing.
        """
        info: dict[int, SheetInfo] = {}
        for sheet in sheets:
            if sheet.sheet_num in info:
                raise ValueError(f"Duplicate sheet {sheet.sheet_num} in job {job_id}")
            info[sheet.sheet_num] = sheet
        needs = {num: set(needed) for num, needed in (dependencies or {}).items() if needed}
        cycle = find_cycle(needs)
        if cycle:
            path = " -> ".join(map(str, cycle))
            raise ValueError(f"Circular dependency detected in job {job_id}: {path}")
        self.forget(job_id)
        for name, limit in (pools or {}).items():
            self.limit_pool(name, limit)
        for name in agents:
            self._order.make_agent(name)
        job = Job(job_id, max_concurrent, info, needs, dependents(needs), set(waiting))
        self._jobs[job_id] = job
        for num in running:
            known = info.get(num)
            pool = self._order.pool(known.pool if known is not None else "")
            self._order.take_slot(job, num, pool, known)
        for num, sheet in info.items():
            if num not in job.holding and num not in job.waiting and not needs.get(num):
                self._order.enqueue(job, sheet, now)
        self._order.refresh(job)

    def extend(
        self, job_id: str, sheets: Iterable[SheetInfo], needs: Mapping[int, Collection[int]]
    ) -> None:
        """Sheets that a registered job has more, each with what it needs, and what sheets that are
        not ready need besides. Each must need something that is not over, and is told later to be;
        what is known already stays as it is."""
        job = self._jobs.get(job_id)
        if job is None or not job.registered:
            return
        new = {sheet.sheet_num: sheet for sheet in sheets if sheet.sheet_num not in job.info}
        job.info |= new
        for num, needed in needs.items():
            for need in needed:
                if num in job.info and (num in new or need in new):
                    job.needs.setdefault(num, set()).add(need)
                    job.dependents.setdefault(need, []).append(num)

    def deregister(self, job_id: str) -> None:
        """Takes a job's queued sheets out. Sheets that hold a slot keep it until released."""
        job = self._jobs.get(job_id)
        if job is None:
            return
        job.registered = False
        self._order.clear_lines(job)
        job.needs.clear()
        job.dependents.clear()
        job.waiting.clear()
        self._order.refresh(job)
        self._drop_if_over(job)

    def forget(self, job_id: str) -> None:
        """Takes a job out with all its slots: nothing of it runs any more."""
        job = self._jobs.get(job_id)
        if job is None:
            return
        job.ahead.clear()
        for num in tuple(job.holding):
            self._order.free_slot(job, num)
        self.deregister(job_id)

    # -- sheets ---------------------------------------------------------------------------------

    def grant(self, now: float) -> SheetEntry | None:
        """Gives a slot to the most urgent sheet that may run, or returns None.

        The entry's ``priority`` is the documented one, with the penalty that applied.
        """
        self._order.unblock_due(now)
        line = self._order.next_line()
        if line is None:
            return None
        if line.pool.agent:
            self._order.calls.note(now)
        return self._order.grant(line)

    def can_grant(self, now: float) -> bool:
        """Whether ``grant`` would give a slot to a sheet."""
        self._order.unblock_due(now)
        return self._order.next_line() is not None

    def slots(self, job_id: str) -> int:
        """How many slots a job holds."""
        job = self._jobs.get(job_id)
        return len(job.holding) if job is not None else 0

    def release(self, job_id: str, num: int) -> None:
        """The sheet's attempt is over: its slot is free, or its sheet ahead takes it."""
        job = self._jobs.get(job_id)
        if job is None:
            return
        if job.ahead.pop(num, None) is None and num in job.holding:
            self._order.pass_slot(job, num)
            self._order.refresh(job)
        self._drop_if_over(job)

    def complete(self, job_id: str, num: int, success: bool, now: float = 0.0) -> list[int]:
        """The sheet is over, its slot free. On success its dependents may run.

        Returns the sheets that became ready by it. After a failure dependents stay: who judged
        the sheet also says what becomes of them.
        """
        self.release(job_id, num)
        job = self._jobs.get(job_id)
        if job is None or num not in job.info:
            return []
        self._order.remove_queued(job, num)
        del job.info[num]
        job.needs.pop(num, None)
        job.waiting.discard(num)
        above = job.dependents.pop(num, ())
        ready = [upper for upper in above if success and self._satisfy(job, upper, num)]
        for upper in ready:
            self._order.enqueue(job, job.info[upper], now)
        self._order.refresh(job)
        return ready

    def requeue(
        self,
        job_id: str,
        num: int,
        *,
        now: float = 0.0,
        retries: int | None = None,
        info: SheetInfo | None = None,
    ) -> None:
        """The sheet stands in line again: after a delay, or because its attempt was interrupted.

        ``retries`` or ``info`` replace what was known (a fallback instrument is another pool).
        """
        self.release(job_id, num)
        job = self._jobs.get(job_id)
        if job is None or not job.registered or num not in job.info:
            return
        known = info or job.info[num]
        if retries is not None:
            known = replace(known, retries_so_far=retries)
        job.info[num] = known
        job.waiting.discard(num)
        self._order.remove_queued(job, num)
        if not job.needs.get(num):
            self._order.enqueue(job, known, now)
        self._order.refresh(job)

    # -- limits ---------------------------------------------------------------------------------

    def limit_pool(self, name: str, limit: int | None) -> None:
        """Bounds the running sheets of a pool; running ones over it finish."""
        self._order.pool(name).limit = limit

    def limit_calls(self, per_minute: int | None) -> None:
        """Bounds the sheets of agents that are granted within 60 s, over all jobs."""
        self._order.calls.limit = per_minute

    def block(self, name: str, until: float) -> None:
        """Grants nothing of this pool before ``until`` (a rate limit)."""
        pool = self._order.pool(name)
        changed = pool.blocked_until is None
        pool.blocked_until = until
        if changed:
            pool.blocks += 1
            self._order.recount_pool(pool)

    def unblock(self, meant: Callable[[str], bool] = lambda _: True) -> None:
        """Lifts the block of each pool whose name is meant."""
        for pool in self._order.pools.values():
            if pool.blocked_until is not None and meant(pool.name):
                pool.blocked_until = None
                self._order.recount_pool(pool)

    def next_unblock(self) -> float | None:
        """When the first block, or the limit of calls, ends that keeps a sheet waiting; None when
        there is none. As of the last ``can_grant``: what has ended since is still among them, for
        nobody has granted anything by it."""
        ends = [p.blocked_until for p in self._order.pools.values() if p.lines]
        if any(p.agent and p.lines for p in self._order.pools.values()):
            ends.append(self._order.calls_free_at)
        return min((end for end in ends if end is not None), default=None)

    def waiting_in(self, meant: Callable[[str], bool]) -> dict[str, list[int]]:
        """The sheets of pools that are meant, by job, whose needs are met and that wait for a
        ``requeue``, or will as soon as the end of their attempt is told."""
        found = {}
        for job in self._jobs.values():
            moving = (job.queued, job.ahead)
            nums = [
                num
                for num, info in job.info.items()
                if meant(info.pool)
                and not job.needs.get(num)
                and not any(num in some for some in moving)
            ]
            if nums:
                found[job.job_id] = nums
        return found

    # -- figures --------------------------------------------------------------------------------

    @property
    def active(self) -> int:
        """Sheets that hold a slot."""
        return self._order.active

    @property
    def queued(self) -> int:
        """Sheets that are ready and wait for a slot."""
        return sum(len(job.queued) for job in self._jobs.values())

    def wanting(self, where: str = HERE) -> int:
        """Ready sheets that nothing but a slot there keeps waiting: no limit of their job or
        pool."""
        found = 0
        for job in self._jobs.values():
            most = math.inf
            if job.max_concurrent is not None:
                most = max(0, job.max_concurrent - len(job.holding))
            ready = sum(
                min(line.size, math.inf if pool.limit is None else pool.limit - pool.running)
                for line in job.lines.values()
                if line.kind[0] == where
                and (pool := line.pool).blocked_until is None
                and not pool.full
            )
            found += int(min(most, ready))
        return found

    def stats(self) -> SchedulerStats:
        """Figures of the whole and of each job."""
        jobs = self._jobs.values()
        return SchedulerStats(
            queued=self.queued,
            active=self._order.active,
            max_concurrent=int(self._order.scripts.limit),
            per_job_running={j.job_id: len(j.holding) for j in jobs if j.holding},
            per_job_queued={j.job_id: len(j.queued) for j in jobs if j.queued},
        )

    def explain(self, job_id: str, num: int, now: float = 0.0) -> Explanation:
        """Why the sheet does not run now, or that it does."""
        self._order.unblock_due(now)
        job = self._jobs.get(job_id)
        entry = job.queued.get(num) if job is not None else None
        if job is None or entry is None:
            return explain(job, num)
        pool = self._order.pool(entry.info.pool)
        return explain_queued(
            job,
            entry,
            pool,
            slots=self._order.slots(pool, entry.info.where),
            stocks=self._order.stocks,
            closed=self._order.closed(),
            calls=(self._order.calls.limit, self._order.calls_free_at),
        )

    # -- small parts ----------------------------------------------------------------------------

    def _drop_if_over(self, job: Job) -> None:
        if not job.registered and not job.holding and not job.ahead:
            self._jobs.pop(job.job_id, None)

    def _satisfy(self, job: Job, upper: int, num: int) -> bool:
        """Notes that ``upper`` has one need less; True when that makes it ready."""
        needs = job.needs.get(upper)
        if needs is None or num not in needs:
            return False
        needs.discard(num)
        if needs or upper in job.waiting or upper in job.holding:
            return False
        return upper in job.info and upper not in job.queued
