"""Which sheet runs next: a pure queue over all jobs.

It knows no clock and does no I/O: times are given, and a grant is only told. The rules, as
documented: the smallest priority goes first (``base_priority`` plus, for a job that already has
its fair share, 20 for each running sheet from there on); ties go by the time of becoming ready; a
job never has more than twice its fair share; the fair share is ``max_concurrent`` divided by the
jobs that compete. Beside that: limits per job and per pool, pools that are blocked for a time, and
ageing.

Ageing: a line of sheets that is passed over gains 5 points for every 100 grants. So whatever
else arrives, a sheet that may run is granted within a bound that depends only on the number of
jobs and on the difference of priorities; and within 100 grants the documented order is exact.

A grant costs O(log n) in the sheets queued, and O(pools).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from marianne.schedule.entries import SchedulerStats, SheetEntry, SheetInfo, base_priority
from marianne.schedule.explain import Explanation, explain
from marianne.schedule.graph import dependents, find_cycle
from marianne.schedule.lines import Job, Line, Pool

__all__ = ["Explanation", "SchedulerStats", "SheetEntry", "SheetInfo", "SheetQueue"]

PENALTY_PER_SHEET = 20.0
MAX_SHARES_PER_JOB = 2.0
AGE_STEP_GRANTS = 100
AGE_POINTS = 5.0


class SheetQueue:
    """The queue. ``max_concurrent`` bounds the sheets that hold a slot, over all jobs.

    A granted sheet holds a slot until ``release``, ``complete`` or ``requeue``. Calls about a job
    or a sheet that is not known are ignored: messages cross.
    """

    def __init__(self, max_concurrent: int) -> None:
        self.max_concurrent = max_concurrent
        self._jobs: dict[str, Job] = {}
        self._pools: dict[str, Pool] = {}
        self._running: dict[str, Job] = {}
        self._active = 0
        self._competing = 0
        self._fair_for: tuple[int, int] = (0, max_concurrent)
        self._grants = 0
        self._arrivals = 0

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
    ) -> None:
        """Takes a job's unfinished sheets, replacing all that was known of the job.

        ``dependencies`` maps a sheet to what it still needs; a number that is not among the
        sheets is never satisfied by itself. ``running`` hold slots already; ``waiting`` come by
        ``requeue``. ``pools`` sets limits of pools. Raises ValueError for a cycle or a sheet
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
        job = Job(job_id, max_concurrent, info, needs, dependents(needs), set(waiting))
        self._jobs[job_id] = job
        for num in running:
            pool = self._pool(info[num].pool if num in info else "")
            self._take_slot(job, num, pool)
        for num, sheet in info.items():
            if num not in job.holding and num not in job.waiting and not needs.get(num):
                self._enqueue(job, sheet, now)
        self._refresh(job)

    def deregister(self, job_id: str) -> None:
        """Takes a job's queued sheets out. Sheets that hold a slot keep it until released."""
        job = self._jobs.get(job_id)
        if job is None:
            return
        job.registered = False
        self._clear_lines(job)
        job.needs.clear()
        job.dependents.clear()
        job.waiting.clear()
        self._refresh(job)
        self._drop_if_over(job)

    def forget(self, job_id: str) -> None:
        """Takes a job out with all its slots: nothing of it runs any more."""
        job = self._jobs.get(job_id)
        if job is None:
            return
        job.ahead.clear()
        for num in tuple(job.holding):
            self._free_slot(job, num)
        self.deregister(job_id)

    def hold(self, job_id: str) -> None:
        """Grants nothing of this job for now; what runs goes on."""
        self._set_held(job_id, True)

    def unhold(self, job_id: str) -> None:
        """Undoes ``hold``."""
        self._set_held(job_id, False)

    # -- sheets ---------------------------------------------------------------------------------

    def grant(self, now: float) -> SheetEntry | None:
        """Gives a slot to the most urgent sheet that may run, or returns None.

        The entry's ``priority`` is the documented one, with the penalty that applied.
        """
        self._unblock_due(now)
        if self._active >= self.max_concurrent:
            return None
        self._share_out()
        best = None
        for pool in self._pools.values():
            if pool.lines and pool.blocked_until is None and not pool.full:
                place = pool.first()
                if place is not None and (best is None or place[:3] < best[:3]):
                    best = place
        return None if best is None else self._granted(best[4])

    def grant_ahead(self, job_id: str, limit: int) -> list[SheetEntry]:
        """Further sheets of a running job, at most ``limit``, that hold no slot of their own.

        When a sheet of the job gives up its slot, the first sheet ahead of the same pool takes
        it over. So the job keeps its slots while they last: ask for as many as take less time
        together than other jobs may be made to wait.
        """
        job = self._jobs.get(job_id)
        entries: list[SheetEntry] = []
        if job is None or job.held or not job.registered:
            return entries
        for pool in dict.fromkeys(job.holding.values()):
            line = job.lines.get(pool.name)
            while line and len(entries) < limit and pool.blocked_until is None:
                first = line.first()
                if first is None:
                    break
                entries.append(self._unqueue(line, first[3]))
                job.ahead[first[3].info.sheet_num] = pool
        if entries:
            self._refresh(job)
        return entries

    def release(self, job_id: str, num: int) -> None:
        """The sheet's attempt is over: its slot is free, or its sheet ahead takes it."""
        job = self._jobs.get(job_id)
        if job is None:
            return
        if job.ahead.pop(num, None) is None and num in job.holding:
            self._pass_slot(job, num)
            self._refresh(job)
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
        self._remove_queued(job, num)
        del job.info[num]
        job.needs.pop(num, None)
        job.waiting.discard(num)
        above = job.dependents.pop(num, ())
        ready = [upper for upper in above if success and self._satisfy(job, upper, num)]
        for upper in ready:
            self._enqueue(job, job.info[upper], now)
        self._refresh(job)
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
        self._remove_queued(job, num)
        if not job.needs.get(num):
            self._enqueue(job, known, now)
        self._refresh(job)

    # -- limits ---------------------------------------------------------------------------------

    def limit_pool(self, name: str, limit: int | None) -> None:
        """Bounds the running sheets of a pool; running ones over it finish."""
        self._pool(name).limit = limit

    def block(self, name: str, until: float) -> None:
        """Grants nothing of this pool before ``until`` (a rate limit)."""
        pool = self._pool(name)
        changed = pool.blocked_until is None
        pool.blocked_until = until
        if changed:
            self._recount_pool(pool)

    def unblock(self, name: str | None = None) -> None:
        """Lifts the block of a pool, or of all."""
        for pool in self._pools.values():
            if pool.blocked_until is not None and name in (None, pool.name):
                pool.blocked_until = None
                self._recount_pool(pool)

    def next_unblock(self, now: float) -> float | None:
        """When the first block ends that keeps a sheet waiting; None when there is none."""
        self._unblock_due(now)
        ends = [p.blocked_until for p in self._pools.values() if p.lines]
        return min((end for end in ends if end is not None), default=None)

    # -- figures --------------------------------------------------------------------------------

    @property
    def fair_share(self) -> float:
        """Slots for each job that competes now."""
        return max(1.0, self.max_concurrent / max(1, self._competing))

    @property
    def hard_cap(self) -> int:
        """Slots that one job may hold at most, whatever is free."""
        return max(1, int(self.fair_share * MAX_SHARES_PER_JOB))

    @property
    def active(self) -> int:
        """Sheets that hold a slot."""
        return self._active

    @property
    def queued(self) -> int:
        """Sheets that are ready and wait for a slot."""
        return sum(len(job.queued) for job in self._jobs.values())

    def stats(self) -> SchedulerStats:
        """Figures of the whole and of each job."""
        jobs = self._jobs.values()
        return SchedulerStats(
            queued=self.queued,
            active=self._active,
            max_concurrent=self.max_concurrent,
            per_job_running={j.job_id: len(j.holding) for j in jobs if j.holding},
            per_job_queued={j.job_id: len(j.queued) for j in jobs if j.queued},
        )

    def explain(self, job_id: str, num: int, now: float = 0.0) -> Explanation:
        """Why the sheet does not run now, or that it does."""
        self._unblock_due(now)
        return explain(
            self._jobs.get(job_id),
            num,
            active=self._active,
            max_concurrent=self.max_concurrent,
            hard_cap=self.hard_cap,
        )

    # -- slots ----------------------------------------------------------------------------------

    def _granted(self, line: Line) -> SheetEntry:
        first = line.first()
        assert first is not None
        entry = self._unqueue(line, first[3])
        entry.priority = first[0] + self._penalty(line.job)
        self._grants += 1
        line.since = self._grants
        self._take_slot(line.job, entry.info.sheet_num, line.pool)
        self._refresh(line.job)
        return entry

    def _take_slot(self, job: Job, num: int, pool: Pool) -> None:
        job.holding[num] = pool
        pool.running += 1
        self._active += 1
        self._running[job.job_id] = job

    def _free_slot(self, job: Job, num: int) -> None:
        job.holding.pop(num).running -= 1
        self._active -= 1
        if not job.holding:
            self._running.pop(job.job_id, None)

    def _pass_slot(self, job: Job, num: int) -> None:
        pool = job.holding[num]
        heir = next((n for n, other in job.ahead.items() if other is pool), None)
        if heir is None:
            self._free_slot(job, num)
        else:
            del job.holding[num], job.ahead[heir]
            job.holding[heir] = pool

    def _drop_if_over(self, job: Job) -> None:
        if not job.registered and not job.holding and not job.ahead:
            self._jobs.pop(job.job_id, None)

    # -- lines ----------------------------------------------------------------------------------

    def _pool(self, name: str) -> Pool:
        pool = self._pools.get(name)
        if pool is None:
            pool = self._pools[name] = Pool(name)
        return pool

    def _enqueue(self, job: Job, info: SheetInfo, now: float) -> None:
        pool = self._pool(info.pool)
        line = job.lines.get(pool.name)
        if line is None:
            line = job.lines[pool.name] = Line(job, pool)
        if line.size == 0:
            line.since = self._grants
            pool.lines.add(line)
        base = base_priority(info)
        entry = SheetEntry(base, now, info)
        self._arrivals += 1
        job.queued[info.sheet_num] = entry
        line.push(base, self._arrivals, entry)

    def _unqueue(self, line: Line, entry: SheetEntry) -> SheetEntry:
        del line.job.queued[entry.info.sheet_num]
        line.size -= 1
        if line.size == 0:
            self._end_line(line)
        return entry

    def _remove_queued(self, job: Job, num: int) -> None:
        entry = job.queued.get(num)
        if entry is not None:
            self._unqueue(job.lines[entry.info.pool], entry)

    def _end_line(self, line: Line) -> None:
        line.stamp += 1
        line.sheets.clear()
        line.pool.lines.discard(line)

    def _clear_lines(self, job: Job) -> None:
        for line in job.lines.values():
            self._end_line(line)
        job.lines.clear()
        job.queued.clear()

    def _satisfy(self, job: Job, upper: int, num: int) -> bool:
        """Notes that ``upper`` has one need less; True when that makes it ready."""
        needs = job.needs.get(upper)
        if needs is None or num not in needs:
            return False
        needs.discard(num)
        if needs or upper in job.waiting or upper in job.holding:
            return False
        return upper in job.info and upper not in job.queued

    # -- order ----------------------------------------------------------------------------------

    def _penalty(self, job: Job) -> float:
        running, fair = len(job.holding), self.fair_share
        return (running - fair + 1) * PENALTY_PER_SHEET if running >= fair else 0.0

    def _may_run(self, job: Job) -> bool:
        most = (
            self.hard_cap if job.max_concurrent is None else min(self.hard_cap, job.max_concurrent)
        )
        return job.registered and not job.held and len(job.holding) < most

    def _refresh(self, job: Job) -> None:
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
        competes = job.registered and not job.held
        if competes and not job.holding:
            lines = job.lines.values()
            competes = any(line.size and line.pool.blocked_until is None for line in lines)
        if competes is not job.competes:
            job.competes = competes
            self._competing += 1 if competes else -1

    def _recount_pool(self, pool: Pool) -> None:
        for line in pool.lines:
            self._recount(line.job)

    def _share_out(self) -> None:
        """Reorders when the fair share changed. Only jobs with running sheets can be affected:
        the share and the cap are never below one sheet."""
        now_for = (self._competing, self.max_concurrent)
        if now_for != self._fair_for:
            self._fair_for = now_for
            for job in tuple(self._running.values()):
                self._refresh(job)

    def _unblock_due(self, now: float) -> None:
        for pool in self._pools.values():
            if pool.blocked_until is not None and pool.blocked_until <= now:
                pool.blocked_until = None
                self._recount_pool(pool)

    def _set_held(self, job_id: str, held: bool) -> None:
        job = self._jobs.get(job_id)
        if job is not None:
            job.held = held
            self._refresh(job)
