"""Slots and the order in which lines of sheets get them: fair share, limits, age.

The part of the queue that knows neither DAG nor registration; see :mod:`marianne.schedule.queue`
for the rules.
"""

from __future__ import annotations

import math

from marianne.schedule.calls import CallRate
from marianne.schedule.entries import SheetEntry, SheetInfo, base_priority
from marianne.schedule.lines import Job, Line, Pool

PENALTY_PER_SHEET = 20.0
MAX_SHARES_PER_JOB = 2.0
AGE_STEP_GRANTS = 100
AGE_POINTS = 5.0


class Order:
    """Who holds slots and who is next. After a change of a job, ``refresh`` it."""

    def __init__(self, max_concurrent: int) -> None:
        self.max_concurrent = max_concurrent
        self.active = 0
        self.pools: dict[str, Pool] = {}
        self.calls = CallRate()
        self.calls_free_at: float | None = None
        self._running: dict[str, Job] = {}
        self._competing = 0
        self._fair_for: tuple[int, int] = (0, max_concurrent)
        self._grants = 0
        self._arrivals = 0

    @property
    def fair_share(self) -> float:
        """Slots for each job that competes now; never below one."""
        return max(1.0, self.max_concurrent / max(1, self._competing))

    @property
    def hard_cap(self) -> int:
        """Slots that one job may hold at most; never below one."""
        return max(1, int(self.fair_share * MAX_SHARES_PER_JOB))

    def pool(self, name: str) -> Pool:
        """The pool of that name; a new one has no limit."""
        pool = self.pools.get(name)
        if pool is None:
            pool = self.pools[name] = Pool(name)
        return pool

    def others_wait(self, job: Job) -> bool:
        """Whether a sheet of another job would take a slot if there were one."""
        return any(
            line.job is not job and self._may_run(line.job)
            for pool in self.pools.values()
            if pool.blocked_until is None and not pool.full
            for line in pool.lines
        )

    def next_line(self) -> Line | None:
        """The line whose first sheet may run and is the most urgent."""
        if self.active >= self.max_concurrent:
            return None
        self._share_out()
        best = None
        no_calls = self.calls_free_at is not None
        for pool in self.pools.values():
            if pool.agent and no_calls:
                continue
            if pool.lines and pool.blocked_until is None and not pool.full:
                place = pool.first()
                if place is not None and (best is None or place[:3] < best[:3]):
                    best = place
        return None if best is None else best[4]

    def grant(self, line: Line) -> SheetEntry:
        """Gives a slot to the line's first sheet."""
        first = line.first()
        assert first is not None
        entry = self.unqueue(line, first[3])
        entry.priority = first[0] + self._penalty(line.job)
        self._grants += 1
        line.since = self._grants
        self.take_slot(line.job, entry.info.sheet_num, line.pool)
        self.refresh(line.job)
        return entry

    # -- slots ----------------------------------------------------------------------------------

    def take_slot(self, job: Job, num: int, pool: Pool) -> None:
        """The sheet holds a slot from now on, whatever the limits say."""
        job.holding[num] = pool
        pool.running += 1
        self.active += 1
        self._running[job.job_id] = job

    def free_slot(self, job: Job, num: int) -> None:
        """The sheet gives its slot back."""
        job.holding.pop(num).running -= 1
        self.active -= 1
        if not job.holding:
            self._running.pop(job.job_id, None)

    def pass_slot(self, job: Job, num: int) -> None:
        """The sheet gives its slot to its job's next sheet ahead of that pool, or back."""
        pool = job.holding[num]
        heir = next((n for n, other in job.ahead.items() if other is pool), None)
        if heir is None:
            self.free_slot(job, num)
        else:
            del job.holding[num], job.ahead[heir]
            job.holding[heir] = pool

    # -- lines ----------------------------------------------------------------------------------

    def enqueue(self, job: Job, info: SheetInfo, now: float) -> None:
        """Puts a ready sheet into its line."""
        pool = self.pool(info.pool)
        line = job.lines.get(pool.name)
        if line is None:
            line = job.lines[pool.name] = Line(job, pool)
        if line.size == 0:
            line.since = self._grants
            pool.lines.add(line)
        base = base_priority(info)
        # What its pool had counted by then is taken off when its turn comes.
        known = pool.blocks - (pool.blocked_until is not None)
        entry = SheetEntry(base, now, info, -known)
        self._arrivals += 1
        job.queued[info.sheet_num] = entry
        line.push(base, self._arrivals, entry)

    def unqueue(self, line: Line, entry: SheetEntry) -> SheetEntry:
        """Takes a queued sheet out of its line."""
        del line.job.queued[entry.info.sheet_num]
        entry.rate_limit_skip_count += line.pool.blocks
        line.size -= 1
        if line.size == 0:
            self._end_line(line)
        return entry

    def remove_queued(self, job: Job, num: int) -> None:
        """Takes a sheet out of its line if it is in one."""
        entry = job.queued.get(num)
        if entry is not None:
            self.unqueue(job.lines[entry.info.pool], entry)

    def _end_line(self, line: Line) -> None:
        line.stamp += 1
        line.sheets.clear()
        line.pool.lines.discard(line)

    def clear_lines(self, job: Job) -> None:
        """Takes all sheets of a job out of their lines."""
        for line in job.lines.values():
            self._end_line(line)
        job.lines.clear()
        job.queued.clear()

    # -- order ----------------------------------------------------------------------------------

    def _penalty(self, job: Job) -> float:
        running, fair = len(job.holding), self.fair_share
        return (running - fair + 1) * PENALTY_PER_SHEET if running >= fair else 0.0

    def _may_run(self, job: Job) -> bool:
        most = (
            self.hard_cap if job.max_concurrent is None else min(self.hard_cap, job.max_concurrent)
        )
        return job.registered and len(job.holding) < most

    def refresh(self, job: Job) -> None:
        """Gives the job's lines their new places, after anything about it changed."""
        self._recount(job)
        may_run = self._may_run(job)
        penalty = self._penalty(job) if may_run else math.inf
        for line in job.lines.values():
            line.stamp += 1
            first = line.first() if may_run and line.size else None
            if first is not None:
                age = AGE_POINTS * (line.since // AGE_STEP_GRANTS)
                line.pool.put((first[0] + penalty + age, first[1], first[2], line.stamp, line))

    def _recount(self, job: Job) -> None:
        competes = job.registered
        if competes and not job.holding:
            lines = job.lines.values()
            competes = any(line.size and line.pool.blocked_until is None for line in lines)
        if competes is not job.competes:
            job.competes = competes
            self._competing += 1 if competes else -1

    def recount_pool(self, pool: Pool) -> None:
        """Counts anew who competes, after a pool was blocked or unblocked."""
        for line in pool.lines:
            self._recount(line.job)

    def _share_out(self) -> None:
        # Only jobs with running sheets can be affected by a change of the share: it and the cap
        # are never below one sheet. They are at most ``max_concurrent``.
        now_for = (self._competing, self.max_concurrent)
        if now_for != self._fair_for:
            self._fair_for = now_for
            for job in tuple(self._running.values()):
                self.refresh(job)

    def unblock_due(self, now: float) -> None:
        """Lifts the blocks whose time has passed, and looks whether agents may be called."""
        self.calls_free_at = self.calls.free_at(now)
        for pool in self.pools.values():
            if pool.blocked_until is not None and pool.blocked_until <= now:
                pool.blocked_until = None
                self.recount_pool(pool)
