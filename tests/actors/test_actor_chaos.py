"""Random kills, stops, faults and requests at any moment: afterwards nothing is left over."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from actors import NORMAL, SHUTDOWN, Actor, ChildSpec, DynamicSupervisor, Future, Supervisor
from actors.testing import Simulation, explore, fault_point

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]

TARGETS = ["a", "b", "c", "d0", "d1", "pool", "group"]
RESTARTS = ["permanent", "transient", "temporary"]


class Worker(Actor):
    def on_start(self) -> None:
        fault_point("start")

    def work(self) -> None:
        fault_point("work")


def disturb(sim: Simulation, chance: random.Random, futures: list[Future[object]]) -> None:
    """Five random things."""
    pool = sim.system.handle(DynamicSupervisor, "pool")
    for _ in range(5):
        target = sim.system.handle(Worker, chance.choice(TARGETS))
        dynamic = f"d{chance.randrange(2)}"
        match chance.randrange(5):
            case 0:
                sim.system.kill(target)
            case 1:
                target.stop(chance.choice([NORMAL, SHUTDOWN]))
            case 2 if target.name not in {"pool", "group"}:
                futures.append(target.call(Worker.work))
            case 3:
                spec = ChildSpec(dynamic, Worker, restart=chance.choice(RESTARTS))  # type: ignore[arg-type]
                futures.append(pool.call(DynamicSupervisor.start_child, spec))
            case _:
                futures.append(pool.call(DynamicSupervisor.terminate_child, dynamic))


def test_every_ask_ends_and_nothing_is_left(seeds: Sequence[int]) -> None:
    def scenario(sim: Simulation) -> None:
        chance = random.Random(sim.seed)
        group = {
            "strategy": chance.choice(["one_for_one", "one_for_all", "rest_for_one"]),
            "children": [
                ChildSpec(name, Worker, restart=chance.choice(RESTARTS))  # type: ignore[arg-type]
                for name in "abc"
            ],
            "intensity": 2,
        }
        children = [
            ChildSpec("group", Supervisor, kwargs=group),
            ChildSpec("pool", DynamicSupervisor),
        ]
        sim.system.spawn(Supervisor, "one_for_one", children, intensity=10**6, name="root")
        sim.faults.by_chance(0.2)
        futures: list[Future[object]] = []
        left = [3]

        def run(number: int) -> None:
            disturb(sim, random.Random(sim.seed * 3 + number), futures)
            left[0] -= 1

        for number in range(3):
            sim.start_thread(lambda number=number: run(number), f"disturber-{number}")
        sim.until(lambda: left == [0])
        for future in futures:
            assert future.wait(20), "an ask has no end"
        sim.faults.heal()
        sim.system.shutdown(timeout=20)
        sim.quiet()
        assert sim.system.zombies == []
        assert sim.system.registry.names() == []
        assert sim.system.tree() == []

    some = seeds[:100] if len(seeds) <= 200 else seeds
    explore(scenario, [seed for seed in some if seed % 2], lines=True)
    explore(scenario, [seed for seed in some if not seed % 2])
