"""Sheets ahead: what a running job may begin as its sheets end, without asking for each.

The part of the queue that makes the ends of short sheets come in batches; see
:mod:`marianne.schedule.queue` for the rules of slots.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from marianne.schedule.entries import HERE, NOTHING_SCARCE, SheetEntry
from marianne.schedule.lines import Job, Pool
from marianne.schedule.order import Order


class Lending:
    """Lends sheets to the jobs of a queue, which are given as the queue itself keeps them.

    When a sheet of a job gives up its slot, the first sheet ahead of the same pool takes it over.
    """

    def __init__(self, jobs: Mapping[str, Job], order: Order) -> None:
        self._jobs = jobs
        self._order = order
        self._lent: dict[str, None] = {}

    def allow(self, job_id: str, each: int) -> None:
        """How many sheets ahead each slot of a job may have; 0 is none."""
        job = self._jobs.get(job_id)
        if job is None or not each:
            self._lent.pop(job_id, None)
        else:
            self._lent[job_id] = None
        if job is not None:
            job.lends = each

    def take(self, job_id: str, limit: int) -> list[SheetEntry]:
        """Further sheets of a running job, at most ``limit``, that hold no slot of their own.

        The job keeps its slots while they last: ask for as many as take less time together than
        other jobs may be made to wait.
        """
        job = self._jobs.get(job_id)
        entries: list[SheetEntry] = []
        if job is None or not job.registered:
            return entries
        for pool, where in _kinds(job):
            line = job.lines.get((pool.name, (where, NOTHING_SCARCE)))
            while line and len(entries) < limit and pool.blocked_until is None:
                first = line.first()
                if first is None or pool.cost(first[3].info) != 1.0:
                    break
                entries.append(self._order.unqueue(line, first[3]))
                job.ahead[first[3].info.sheet_num] = pool
        if entries:
            self._order.refresh(job)
        return entries

    def grants(self, fresh: Collection[str]) -> dict[str, list[SheetEntry]]:
        """Sheets ahead for all jobs that are lent some. ``fresh`` names jobs with a new slot.

        While others wait for a slot only those get any: a job that is lent more while it works
        off what it has would never give its slots to the others.
        """
        granted = {}
        for job_id in tuple(self._lent):
            job = self._jobs.get(job_id)
            if job is None:
                del self._lent[job_id]
                continue
            kinds = _kinds(job)
            # Of two kinds the worker would not know whose slot is free; agents are counted; and a
            # slot is not passed on to who takes more.
            if len(kinds) != 1 or kinds[0][0].agent or job.costs:
                continue
            most = job.lends * len(job.holding)
            if 2 * len(job.ahead) > most:
                continue
            if job_id not in fresh and self._order.others_wait(job, self._order.slots(*kinds[0])):
                continue
            entries = self.take(job_id, most - len(job.ahead))
            if entries:
                granted[job_id] = entries
        return granted


def _kinds(job: Job) -> list[tuple[Pool, str]]:
    """The pools of what the job holds, each with the executor whose slots those are."""
    held = ((pool, job.elsewhere.get(num, HERE)) for num, pool in job.holding.items())
    return list(dict.fromkeys(held))
