"""What holds for the queue under any history."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marianne.schedule.order import AGE_POINTS, AGE_STEP_GRANTS
from marianne.schedule.queue import SheetInfo, SheetQueue

JOBS = ("a", "b", "c")
POOLS = ("x", "y")


def cpus(seed: int, num: int) -> float:
    """What a sheet takes: most take one, some half or two, a few more than there is."""
    return 1.0 if seed % 2 else (1.0, 0.5, 2.0, 9.0)[(seed >> num) % 4]


steps = st.one_of(
    st.tuples(st.just("register"), st.sampled_from(JOBS), st.integers(0, 2**16)),
    st.tuples(st.just("grant"), st.just(""), st.integers(1, 6)),
    st.tuples(st.just("release"), st.sampled_from(JOBS), st.integers(1, 8)),
    st.tuples(st.just("complete"), st.sampled_from(JOBS), st.integers(1, 8)),
    st.tuples(st.just("fail"), st.sampled_from(JOBS), st.integers(1, 8)),
    st.tuples(st.just("requeue"), st.sampled_from(JOBS), st.integers(1, 8)),
    st.tuples(st.just("ahead"), st.sampled_from(JOBS), st.integers(1, 3)),
    st.tuples(st.just("deregister"), st.sampled_from(JOBS), st.just(0)),
    st.tuples(st.just("forget"), st.sampled_from(JOBS), st.just(0)),
    st.tuples(st.just("block"), st.sampled_from(POOLS), st.integers(0, 30)),
    st.tuples(st.just("unblock"), st.sampled_from(POOLS), st.just(0)),
    st.tuples(st.just("limit"), st.just(""), st.integers(1, 6)),
)


class Watched:
    """A queue driven by random steps, with a simple account of what it was told."""

    def __init__(self, agents: int | None = None) -> None:
        self.queue = SheetQueue(4, agents)
        self.agents = () if agents is None else ("y",)
        self.now = 0.0
        self.slots: set[tuple[str, int]] = set()
        self.needs: dict[str, dict[int, set[int]]] = {}
        self.done: dict[str, set[int]] = {}
        self.limits: dict[str, int] = {}

    def step(self, name: str, who: str, value: int) -> None:
        self.now += 1
        getattr(self, name)(who, value)

    def register(self, job_id: str, seed: int) -> None:
        count = seed % 8 + 1
        infos = [
            SheetInfo(
                job_id, n, POOLS[(seed >> n) % 2], job_priority=seed % 3 + 1, cpus=cpus(seed, n)
            )
            for n in range(1, count + 1)
        ]
        needs = {n: {n - 1} for n in range(2, count + 1) if (seed >> n) % 3 == 0}
        self.slots = {slot for slot in self.slots if slot[0] != job_id}
        self.needs[job_id], self.done[job_id] = needs, set()
        self.limits[job_id] = seed % 4 + 1
        self.queue.register(
            *(job_id, infos, needs),
            now=self.now,
            max_concurrent=self.limits[job_id],
            pools={"y": 2},
            agents=self.agents,
        )

    def grant(self, _: str, times: int) -> None:
        for _ in range(times):
            kinds = {"x": self.queue._order.scripts, "y": self.queue._order.agents}
            known = {
                pool: (kind.hard_cap, kind.taken, {**kind.held}) for pool, kind in kinds.items()
            }
            before = self.queue.stats()
            entry = self.queue.grant(self.now)
            if entry is None:
                return
            job_id, num, pool = entry.info.job_id, entry.info.sheet_num, entry.info.pool
            cap, taken, held = known[pool]
            takes = 1.0 if pool in self.agents else entry.info.cpus
            assert not held or taken + takes <= kinds[pool].limit + 1e-6
            assert held.get(job_id, 0.0) < cap
            assert before.per_job_running.get(job_id, 0) < self.limits[job_id]
            assert (job_id, num) not in self.slots
            assert self.needs[job_id].get(num, set()) <= self.done[job_id]
            self.slots.add((job_id, num))

    def ahead(self, job_id: str, limit: int) -> None:
        for entry in self.queue.lending.take(job_id, limit):
            num = entry.info.sheet_num
            assert self.needs[job_id].get(num, set()) <= self.done[job_id]
            self.slots.add((job_id, num))

    def release(self, job_id: str, num: int) -> None:
        self.queue.release(job_id, num)
        self.slots.discard((job_id, num))

    def complete(self, job_id: str, num: int) -> None:
        self.queue.complete(job_id, num, True, self.now)
        self.slots.discard((job_id, num))
        self.done.setdefault(job_id, set()).add(num)

    def fail(self, job_id: str, num: int) -> None:
        self.queue.complete(job_id, num, False, self.now)
        self.slots.discard((job_id, num))

    def requeue(self, job_id: str, num: int) -> None:
        self.queue.requeue(job_id, num, now=self.now, retries=num)
        self.slots.discard((job_id, num))

    def deregister(self, job_id: str, _: int) -> None:
        self.queue.deregister(job_id)

    def forget(self, job_id: str, _: int) -> None:
        self.queue.forget(job_id)
        self.slots = {slot for slot in self.slots if slot[0] != job_id}

    def block(self, pool: str, seconds: int) -> None:
        self.queue.block(pool, self.now + seconds)

    def unblock(self, pool: str, _: int) -> None:
        self.queue.unblock(lambda name: name == pool)

    def limit(self, _: str, value: int) -> None:
        self.queue.limit_slots(value)

    def settle(self) -> None:
        """Lets everything run that can: nothing that may run may stay behind."""
        self.queue.unblock()
        self.queue.limit_slots(4)
        for _ in range(200):
            for job_id, num in sorted(self.slots):
                self.complete(job_id, num)
            self.grant("", 100)
            if not self.slots:
                break


@settings(deadline=None)
@given(st.lists(steps, max_size=60), st.sampled_from((None, 3)))
def test_no_limit_is_ever_passed_and_nothing_is_forgotten(
    history: list[tuple[str, str, int]], agents: int | None
) -> None:
    watched = Watched(agents)
    for step in history:
        watched.step(*step)
        stats = watched.queue.stats()
        assert stats.active <= len(watched.slots)
        assert stats.active == sum(stats.per_job_running.values())
    watched.settle()
    stats = watched.queue.stats()
    assert (stats.queued, stats.active) == (0, 0)
    for kind in (watched.queue._order.scripts, watched.queue._order.agents):
        assert (kind.taken, kind.held) == (0.0, {})


# Thousands of grants an example: its choices come from a seed, not from Hypothesis one by one, and
# no clock judges them.
@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    slots=st.integers(1, 6),
    priority=st.integers(2, 10),
    rivals=st.integers(1, 8),
    seed=st.integers(0, 2**32),
)
def test_no_sheet_starves_whatever_else_arrives(
    slots: int, priority: int, rivals: int, seed: int
) -> None:
    """One job of least urgency against rivals that are renewed for ever."""
    chance = random.Random(seed)
    queue = SheetQueue(slots)
    queue.register("poor", [SheetInfo("poor", 1, job_priority=priority)])
    gap = (priority - 1) * 10
    bound = AGE_STEP_GRANTS * (math.ceil(gap / AGE_POINTS) + 1) + rivals + slots
    running: list[tuple[str, int]] = []
    alive = [f"rich{n}" for n in range(rivals)]
    for job_id in alive:
        queue.register(job_id, [SheetInfo(job_id, n, job_priority=1) for n in range(1, 4)])
    fresh = rivals
    for grants in range(bound + 1):
        entry = queue.grant(float(grants))
        while entry is None:
            job_id, num = running.pop(chance.randrange(len(running)))
            queue.complete(job_id, num, True)
            if job_id not in queue.stats().per_job_queued:
                queue.deregister(job_id)
                name = f"rich{fresh}"
                fresh += 1
                queue.register(name, [SheetInfo(name, n, job_priority=1) for n in range(1, 4)])
            entry = queue.grant(float(grants))
        if entry.info.job_id == "poor":
            return
        running.append((entry.info.job_id, entry.info.sheet_num))
    pytest.fail(f"not granted within {bound} grants")
