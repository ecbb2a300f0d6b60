"""The deterministic system itself: it repeats, replays, jumps in time, and says what is wrong."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Sequence

import pytest
from stage import Player, Stage

from actors import Actor, ActorError, Backoff, ChildSpec, Handle, Supervisor
from actors.testing import (
    Deadlock,
    Fault,
    Livelock,
    PriorityChanges,
    Replay,
    ScheduleFailed,
    SimLock,
    Simulation,
    SimulationError,
    Stuck,
    explore,
    fault_point,
)


class Worker(Actor):
    def __init__(self) -> None:
        self.done = 0

    def on_start(self) -> None:
        fault_point("start")

    def work(self) -> int:
        fault_point("work")
        self.done += 1
        return self.done


def story(sim: Simulation) -> list[str]:
    """Two supervised actors, asked by three threads, one crash: what happened in which order."""
    events: list[str] = []
    sim.system.on_event(lambda event: events.append(f"{event.kind} {event.name}"))
    children = [ChildSpec("a", Worker), ChildSpec("b", Worker)]
    sim.system.spawn(Supervisor, "one_for_all", children, name="root")
    sim.faults.plan("work", Fault("once"))
    handles: list[Handle[Worker]] = [sim.system.handle(Worker, name) for name in "ab"]

    def ask(number: int) -> None:
        try:
            events.append(f"{number} got {handles[number % 2].ask(Worker.work)}")
        except ActorError as error:
            events.append(f"{number} got {type(error).__name__}")

    for number in range(3):
        sim.start_thread(lambda number=number: ask(number), f"asker-{number}")
    sim.quiet()
    return events


def test_the_same_seed_gives_the_same_run() -> None:
    stories = set()
    for seed in range(30):
        runs = []
        for _ in range(2):
            with Simulation(seed) as sim:
                runs.append((story(sim), list(sim.schedule), sim.now))
        assert runs[0] == runs[1]
        stories.add(tuple(runs[0][0]))
    assert len(stories) > 5  # and other seeds give other runs


@pytest.mark.parametrize("lines", [False, True])
def test_a_recorded_schedule_can_be_replayed(lines: bool) -> None:
    with Simulation(3, PriorityChanges(3), lines=lines) as first:
        told = story(first)
    with Simulation(3, Replay(first.schedule), lines=lines) as second:
        assert story(second) == told


def test_virtual_time_jumps_to_the_next_deadline() -> None:
    with Simulation() as sim:
        sim.sleep(1e9)
        assert sim.monotonic() == 1e9


def test_waiting_for_ever_is_a_deadlock_that_names_the_threads() -> None:
    with Simulation() as sim:
        lock = sim.lock()
        lock.acquire()
        with pytest.raises(Deadlock, match=r"main \(blocked\)"):
            lock.acquire()


def test_a_deadlock_of_others_is_found_when_the_test_waits_for_them() -> None:
    def scenario(sim: Simulation) -> None:
        first, second = sim.lock(), sim.lock()
        ended: list[int] = []

        def cross(one: SimLock, other: SimLock) -> None:
            with one, other:
                ended.append(1)

        sim.start_thread(lambda: cross(first, second), "one")
        sim.start_thread(lambda: cross(second, first), "two")
        sim.until(lambda: len(ended) == 2)

    with pytest.raises(ScheduleFailed):
        explore(scenario, range(100))


def test_a_thread_that_waits_for_a_lock_of_the_machine_is_named_with_its_line() -> None:
    class Waiter(Actor):
        def wait_outside(self, lock: threading.Lock) -> None:
            lock.acquire()

    held = threading.Lock()
    held.acquire()
    with Simulation(patience=0.1) as sim:
        waiter = sim.system.spawn(Waiter, name="waiter")
        with pytest.raises(Stuck, match=r"(?s)waiter has not come back.*lock\.acquire\(\)"):
            waiter.ask(Waiter.wait_outside, held)
    held.release()


@pytest.mark.parametrize("timeout", [math.inf, 1e12, math.nan, -2])
def test_a_lock_refuses_the_times_that_a_real_one_refuses(timeout: float) -> None:
    with Simulation() as sim:
        with pytest.raises((OverflowError, ValueError)) as real:
            threading.Lock().acquire(True, timeout)
        with pytest.raises(real.type):
            sim.lock().acquire(True, timeout)


def test_spinning_is_a_livelock() -> None:
    def spin() -> None:
        with Simulation(max_steps=500) as sim:
            lock = sim.lock()
            while True:
                with lock:
                    pass

    with pytest.raises(Livelock):
        spin()


def test_a_spinning_thread_is_found_too() -> None:
    with Simulation(max_steps=500) as sim:
        lock = sim.lock()

        def spin() -> None:
            while True:
                with lock:
                    pass

        sim.start_thread(spin, "spinner")
        with pytest.raises(Livelock):
            sim.quiet()


def test_a_condition_that_never_comes_true_fails_after_its_time() -> None:
    with Simulation() as sim, pytest.raises(SimulationError, match="within 5 s"):
        sim.until(lambda: False, within=5)


def test_an_error_in_a_thread_is_an_error_of_the_run() -> None:
    def run() -> None:
        with Simulation() as sim:
            sim.start_thread(lambda: 1 // 0, "broken")
            sim.quiet()

    with pytest.raises(ZeroDivisionError):
        run()


def test_a_failing_seed_prints_the_command_that_replays_it() -> None:
    def scenario(sim: Simulation) -> None:
        order: list[int] = []
        for number in range(3):
            sim.start_thread(lambda number=number: order.append(number), str(number))
        sim.until(lambda: len(order) == 3)
        assert order == [0, 1, 2]

    with pytest.raises(ScheduleFailed) as caught:
        explore(scenario, range(100))
    assert f"--seed {caught.value.seed}" in str(caught.value)
    assert "test_a_failing_seed_prints_the_command_that_replays_it" in str(caught.value)
    with pytest.raises(ScheduleFailed):
        explore(scenario, [caught.value.seed])


def test_fault_points_do_nothing_outside_of_a_simulation() -> None:
    fault_point("anything")


def test_planned_faults_come_in_turn_and_healing_ends_them() -> None:
    with Simulation() as sim:
        sim.faults.plan("x", OSError("first"), OSError("second"), OSError("third"))
        for text in ("first", "second"):
            with pytest.raises(OSError, match=text):
                fault_point("x")
        sim.faults.heal()
        fault_point("x")
        assert sim.faults.raised == {"x": 2}


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
def test_when_faults_stop_every_permanent_child_is_active_within_bounded_time(
    strategy: str, seeds: Sequence[int]
) -> None:
    """Faults, then healing: crashes, failing starts and kills at any moment, then none."""
    names = ["a", "b", "c"]
    backoff = Backoff(min=0.1, max=2.0)

    def scenario(sim: Simulation) -> None:
        chance = random.Random(sim.seed)
        inner = {
            "strategy": strategy,
            "children": [
                ChildSpec(name, Worker, backoff=backoff if name == "b" else None) for name in names
            ],
            "intensity": 3,
        }
        group = ChildSpec("group", Supervisor, kwargs=inner)
        sim.system.spawn(Supervisor, "one_for_one", [group], intensity=10**6, name="root")
        sim.faults.by_chance(0.3)
        for _ in range(10):
            name = chance.choice(names)
            if chance.random() < 0.2:
                sim.system.kill(sim.system.handle(Worker, name))
            else:
                sim.system.handle(Worker, name).tell(Worker.work)
            if chance.random() < 0.3:
                sim.sleep(chance.choice([0.0, 0.2, 3.0]))
        sim.faults.heal()
        sim.until(lambda: all(is_idle(sim, name) for name in names), within=10.0)
        for name in names:
            assert sim.system.handle(Worker, name).ask(Worker.work) >= 1
        assert sim.system.shutdown() == []

    explore(scenario, seeds[:100] if len(seeds) <= 200 else seeds[:2000])


def is_idle(sim: Simulation, name: str) -> bool:
    ref = sim.system.whereis(name)
    return ref is not None and sim.system.inspect(ref).statistics()["state"] == "idle"


@pytest.mark.slow
def test_shutdown_while_restarts_keep_failing_ends_under_every_schedule(
    seeds: Sequence[int],
) -> None:
    def scenario(sim: Simulation) -> None:
        stage = Stage(sim)
        stage.until = sim.until
        stage.supervisor(stage.child("a"), stage.child("b"), intensity=10**9)
        stage.script["a"] = ["fail"] * 1000
        stage.player("a").tell(Player.crash)
        assert sim.system.shutdown(timeout=5.0) == []
        assert sim.system.tree() == []

    explore(scenario, seeds)


def test_a_kill_at_any_moment_leaves_one_reason_and_no_name(seeds: Sequence[int]) -> None:
    def scenario(sim: Simulation) -> None:
        reasons: list[str] = []
        sim.system.on_event(
            lambda event: (
                reasons.append(event.kind) if event.kind in {"killed", "crashed", "ended"} else None
            )
        )
        ref = sim.system.spawn(Worker, name="victim")
        sim.faults.plan("work", Fault("crash"))
        sim.start_thread(lambda: ref.tell(Worker.work), "teller")
        sim.start_thread(lambda: sim.system.kill(ref), "killer")
        sim.start_thread(ref.stop, "stopper")
        sim.until(lambda: ref.reason is not None)
        sim.quiet()
        assert len(reasons) == 1
        assert sim.system.registry.names() == []
        assert sim.system.zombies == []

    explore(scenario, seeds, lines=True)
