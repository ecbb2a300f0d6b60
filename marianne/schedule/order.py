"""Slots and the order in which lines of sheets get them: fair share, limits, age.

The part of the queue that knows neither DAG nor registration; see :mod:`marianne.schedule.queue`
for the rules.
"""

from __future__ import annotations

import math

from marianne.schedule.calls import CallRate
from marianne.schedule.entries import (
    HERE,
    NOTHING_SCARCE,
    SheetEntry,
    SheetInfo,
    base_priority,
)
from marianne.schedule.lines import Job, Line, Pool
from marianne.schedule.slots import Slots
from marianne.schedule.stocks import Look, Stocks

PENALTY_PER_SHEET = 20.0
AGE_STEP_GRANTS = 100
AGE_POINTS = 5.0


class Order:
    """Who holds slots and who is next. After a change of a job, ``refresh`` it."""

    def __init__(self, max_concurrent: float, agents: int | None = None) -> None:
        self.scripts = Slots(max_concurrent)
        self.agents = self.scripts if agents is None else Slots(agents)
        self.stocks = Stocks(math.inf, math.inf)
        self.active = 0
        self.pools: dict[str, Pool] = {}
        self.calls = CallRate()
        self.calls_free_at: float | None = None
        self._kinds = tuple(dict.fromkeys((self.scripts, self.agents)))
        self._elsewhere: dict[str, tuple[Slots, Slots]] = {}
        self._running: dict[str, Job] = {}
        self._grants = 0
        self._arrivals = 0

    def slots(self, pool: Pool, where: str = HERE) -> Slots:
        """Those that the sheets of the pool take there."""
        if where:
            return self._of_executor(where)[pool.agent]
        return self.agents if pool.agent else self.scripts

    def _of_line(self, line: Line) -> Slots:
        return self.slots(line.pool, line.kind[0])

    def _of_executor(self, where: str) -> tuple[Slots, Slots]:
        """Those of scripts and of agents; nobody has any where there is no such executor."""
        found = self._elsewhere.get(where)
        if found is None:
            found = self._elsewhere[where] = (Slots(0), Slots(0))
            self._kinds += found
        return found

    def limit_elsewhere(self, where: str, scripts: float, agents: float) -> None:
        """So many sheets have room on this executor; running ones over that finish."""
        found = self._of_executor(where)
        found[0].limit, found[1].limit = scripts, agents

    def pool(self, name: str) -> Pool:
        """The pool of that name; a new one has no limit."""
        pool = self.pools.get(name)
        if pool is None:
            pool = self.pools[name] = Pool(name)
        return pool

    def make_agent(self, name: str) -> None:
        """The pool's sheets are an agent's from now on, those that run too."""
        pool = self.pool(name)
        if pool.agent:
            return
        held = [
            (job, num)
            for job in self._running.values()
            for num, other in job.holding.items()
            if other is pool
        ]
        for job, num in held:
            where = job.elsewhere.get(num, HERE)
            self.slots(pool, where).give(job.job_id, job.costs.pop(num, 1.0))
        pool.agent = True
        for job, num in held:
            self.slots(pool, job.elsewhere.get(num, HERE)).take(job.job_id, 1.0)
        self.recount_pool(pool)
        for job, _ in held:
            self.refresh(job)

    def others_wait(self, job: Job, slots: Slots) -> bool:
        """Whether a sheet of another job would take such a slot if there were one."""
        return any(
            line.job is not job and self._of_line(line) is slots and self._may_run(line.job, slots)
            for pool in self.pools.values()
            if pool.blocked_until is None and not pool.full
            for line in pool.lines
        )

    def next_line(self) -> Line | None:
        """The line whose first sheet may run and is the most urgent.

        The most urgent sheet of a kind that does not fit has its place kept: nothing smaller of
        that kind goes past it, else it might never find room. See
        :mod:`marianne.schedule.stocks` for what it takes beside slots.
        """
        self._share_out()
        if all(slots.full for slots in self._kinds):
            return None
        return self._look()[0]

    def closed(self) -> list[bool]:
        """Of what nobody gets any more for now, by the order of Scarce: one that waits has it
        kept."""
        return self._look()[1].closed

    def _look(self) -> tuple[Line | None, Look]:
        no_calls = self.calls_free_at is not None
        firsts = [
            place
            for pool in self.pools.values()
            if pool.lines and pool.blocked_until is None and not pool.full
            if not (pool.agent and no_calls)
            for place in pool.firsts()
        ]
        if len(firsts) > 1:
            firsts.sort()  # no two came as the same arrival: lines are not compared
        look = Look(self.stocks)
        for *_, line in firsts:
            first = line.first()
            if first is not None:
                info = first[3].info
                if look.may_begin(self._of_line(line), line.pool.cost(info), info.scarce):
                    return line, look
        return None, look

    def grant(self, line: Line) -> SheetEntry:
        """Gives a slot to the line's first sheet."""
        first = line.first()
        assert first is not None
        entry = self.unqueue(line, first[3])
        entry.priority = first[0] + self._penalty(line.job, self._of_line(line))
        self._grants += 1
        line.since = self._grants
        self.take_slot(line.job, entry.info.sheet_num, line.pool, entry.info)
        self.refresh(line.job)
        return entry

    # -- slots ----------------------------------------------------------------------------------

    def take_slot(self, job: Job, num: int, pool: Pool, info: SheetInfo | None = None) -> None:
        """The sheet holds a slot from now on, and what else it takes, whatever the limits say. One
        that nothing is known of takes one of the conductor's own."""
        cost, scarce, where = 1.0, NOTHING_SCARCE, HERE
        if info is not None:
            cost, scarce, where = pool.cost(info), info.scarce, info.where
        job.holding[num] = pool
        if cost != 1.0:
            job.costs[num] = cost
        if scarce is not NOTHING_SCARCE:
            job.scarce[num] = scarce
            self.stocks.take(scarce)
        if where:
            job.elsewhere[num] = where
        pool.running += 1
        self.active += 1
        self.slots(pool, where).take(job.job_id, cost)
        self._running[job.job_id] = job

    def free_slot(self, job: Job, num: int) -> None:
        """The sheet gives its slot back, and what else it has."""
        pool = job.holding.pop(num)
        if num in job.scarce:
            self.stocks.give(job.scarce.pop(num))
        pool.running -= 1
        self.active -= 1
        slots = self.slots(pool, job.elsewhere.pop(num, HERE))
        slots.give(job.job_id, job.costs.pop(num, 1.0))
        if not job.holding:
            self._running.pop(job.job_id, None)

    def pass_slot(self, job: Job, num: int) -> None:
        """The sheet gives its slot to its job's next sheet ahead of that pool, or back."""
        pool = job.holding[num]
        heir = next((n for n, other in job.ahead.items() if other is pool), None)
        self.free_slot(job, num)
        if heir is not None:
            del job.ahead[heir]
            self.take_slot(job, heir, pool, job.info.get(heir))

    # -- lines ----------------------------------------------------------------------------------

    def enqueue(self, job: Job, info: SheetInfo, now: float) -> None:
        """Puts a ready sheet into its line."""
        pool = self.pool(info.pool)
        key = pool.name, (info.where, info.rank)
        line = job.lines.get(key)
        if line is None:
            line = job.lines[key] = Line(job, pool, key[1])
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
            info = entry.info
            self.unqueue(job.lines[info.pool, (info.where, info.rank)], entry)

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

    def _penalty(self, job: Job, slots: Slots) -> float:
        running, fair = slots.held.get(job.job_id, 0.0), slots.fair_share
        return (running - fair + 1) * PENALTY_PER_SHEET if running >= fair else 0.0

    def _may_run(self, job: Job, slots: Slots) -> bool:
        if job.max_concurrent is not None and len(job.holding) >= job.max_concurrent:
            return False
        return job.registered and slots.held.get(job.job_id, 0.0) < slots.hard_cap

    def refresh(self, job: Job) -> None:
        """Gives the job's lines their new places, after anything about it changed."""
        self._recount(job)
        for slots in self._kinds:
            may_run = self._may_run(job, slots)
            penalty = self._penalty(job, slots) if may_run else math.inf
            for line in job.lines.values():
                if self._of_line(line) is not slots:
                    continue
                line.stamp += 1
                first = line.first() if may_run and line.size else None
                if first is not None:
                    age = AGE_POINTS * (line.since // AGE_STEP_GRANTS)
                    line.pool.put((first[0] + penalty + age, first[1], first[2], line.stamp, line))

    def _recount(self, job: Job) -> None:
        for slots in self._kinds:
            competes = job.registered and (
                job.job_id in slots.held
                or any(
                    line.size and line.pool.blocked_until is None and self._of_line(line) is slots
                    for line in job.lines.values()
                )
            )
            if competes:
                slots.competing.add(job.job_id)
            else:
                slots.competing.discard(job.job_id)

    def recount_pool(self, pool: Pool) -> None:
        """Counts anew who competes, after a pool was blocked or unblocked."""
        for line in pool.lines:
            self._recount(line.job)

    def _share_out(self) -> None:
        # Only jobs with running sheets can be affected by a change of the share: it and the cap
        # are never below one sheet. They are at most as many as there are slots.
        for slots in self._kinds:
            if slots.share_changed():
                for job_id in tuple(slots.held):
                    self.refresh(self._running[job_id])

    def unblock_due(self, now: float) -> None:
        """Lifts the blocks whose time has passed, and looks whether agents may be called."""
        self.calls_free_at = self.calls.free_at(now)
        for pool in self.pools.values():
            if pool.blocked_until is not None and pool.blocked_until <= now:
                pool.blocked_until = None
                self.recount_pool(pool)
