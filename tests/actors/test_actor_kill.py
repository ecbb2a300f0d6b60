"""Kill while something is being started, and what a suspended actor does with its timers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest

from actors import SHUTDOWN, Actor, ChildSpec, StartError, Supervisor, System
from actors.testing import Simulation, explore

Eventually = Callable[[Callable[[], object]], None]


class SlowStart(Actor):
    def __init__(self, gate: threading.Event) -> None:
        gate.wait(5)


def test_killing_a_supervisor_that_starts_a_child_ends_the_start_at_once(
    system: System, eventually: Eventually
) -> None:
    gate = threading.Event()
    errors: list[BaseException] = []

    def start() -> None:
        try:
            spec = ChildSpec("slow", SlowStart, (gate,))
            system.spawn(Supervisor, "one_for_one", [spec], name="sup")
        except StartError as error:
            errors.append(error)

    starter = threading.Thread(target=start)
    starter.start()
    eventually(lambda: system.whereis("slow"))
    system.kill(system.handle(Supervisor, "sup"))
    starter.join(5)
    assert len(errors) == 1
    assert system.registry.names() == []
    gate.set()
    eventually(lambda: system.zombies == [])


def test_a_fenced_thread_can_neither_ask_nor_start_nor_watch(
    system: System, eventually: Eventually
) -> None:
    gate, entered = threading.Event(), threading.Event()
    reached: list[str] = []

    class Undead(Actor):
        def hold(self, then: str) -> None:
            entered.set()
            gate.wait(5)
            if then == "ask":
                self.system.handle(Undead, "other").ask(Undead.hold, "")
            elif then == "spawn":
                self.system.spawn(Actor)
            elif then == "monitor":
                self.monitor(self.system.handle(Undead, "other"))
            elif then == "timer":
                self.send_after(1, self.hold, "")
            elif then == "promise":
                self.promise()
            else:
                self.register("second name")
            reached.append(then)

    system.spawn(Actor, name="other")
    for then in ("ask", "spawn", "monitor", "timer", "promise", "register"):
        entered.clear()
        gate.clear()
        ref = system.spawn(Undead)
        ref.tell(Undead.hold, then)
        assert entered.wait(5)
        system.kill(ref)
        gate.set()
        eventually(lambda: system.zombies == [])
    assert reached == []
    assert system.registry.names() == ["other"]


def test_timers_of_a_suspended_actor_wait_for_its_resume() -> None:
    class Ticker(Actor):
        def __init__(self) -> None:
            self.ticks = 0

        def begin(self) -> None:
            self.send_after(1.0, self.tick)

        def tick(self) -> None:
            self.ticks += 1

    with Simulation() as sim:
        ref = sim.system.spawn(Ticker)
        ref.ask(Ticker.begin)
        inspector = sim.system.inspect(ref)
        inspector.suspend()
        sim.sleep(5)
        assert inspector.state() == {"ticks": 0}
        inspector.resume()
        sim.quiet()
        assert inspector.state() == {"ticks": 1}


def test_a_child_that_asks_its_supervisor_while_that_stops_it_is_killed_after_its_grace() -> None:
    class Nosy(Actor):
        def pry(self) -> None:
            self.system.handle(Supervisor, "sup").within(None).ask(Supervisor.which_children)

    with Simulation() as sim:
        children = [ChildSpec("quiet", Actor), ChildSpec("nosy", Nosy, shutdown=1.0)]
        sup = sim.system.spawn(Supervisor, "one_for_one", children, name="sup")
        sim.system.inspect(sup).suspend()
        nosy, quiet = sim.system.whereis("nosy"), sim.system.whereis("quiet")
        sim.system.handle(Nosy, "nosy").tell(Nosy.pry)
        terminated = sup.within(None).call(Supervisor.terminate_child, "nosy")
        sim.system.inspect(sup).resume()
        sim.until(lambda: terminated.done)
        assert sim.system.stop(sup)
        assert nosy is not None
        assert quiet is not None
        assert quiet.reason == SHUTDOWN


def test_a_kill_answers_an_ask_in_the_moment_it_is_taken(seeds: Sequence[int]) -> None:
    class Deaf(Actor):
        def hang(self, sim: Simulation) -> None:
            sim.sleep(1e9)

    def scenario(sim: Simulation) -> None:
        ref = sim.system.spawn(Deaf)
        future = ref.within(None).call(Deaf.hang, sim)
        sim.system.kill(ref)
        sim.until(lambda: future.done, within=1.0)

    explore(scenario, seeds, lines=True)


def test_a_killed_supervisor_leaves_no_child_behind_under_any_schedule(
    seeds: Sequence[int],
) -> None:
    def scenario(sim: Simulation) -> None:
        children = [ChildSpec(name, Actor) for name in "ab"]
        sup = sim.system.spawn(Supervisor, "one_for_one", children, name="sup")
        sup.tell(Supervisor.start_child, ChildSpec("c", Actor))
        sim.system.kill(sup)
        sim.quiet()
        assert sim.system.registry.names() == []
        assert sim.system.zombies == []

    explore(scenario, seeds, lines=True)


def test_a_supervisor_is_told_of_an_end_only_when_the_name_is_free(seeds: Sequence[int]) -> None:
    """A child that ends while its supervisor begins to watch it is restarted at once."""

    def scenario(sim: Simulation) -> None:
        failures: list[str] = []
        sim.system.on_event(
            lambda event: failures.append(event.error) if event.kind == "start_failed" else None
        )
        sim.system.spawn(Supervisor, "one_for_one", [], intensity=100, name="sup")
        sup = sim.system.handle(Supervisor, "sup")
        child = sim.system.handle(Actor, "a")
        started = sup.call(Supervisor.start_child, ChildSpec("a", Actor))
        for number in range(3):
            sim.start_thread(lambda: sim.system.kill(child), f"killer-{number}")
        sim.until(lambda: started.done)
        sim.quiet()
        assert not [failure for failure in failures if "already_started" in failure]
        assert child.alive or not started.outcome().ok

    explore(scenario, seeds, lines=True)


def test_two_children_with_one_name_are_refused_and_the_first_stays_in_the_tree(
    system: System,
) -> None:
    sup = system.spawn(Supervisor, "one_for_one", [ChildSpec("a", Actor, name="x")])
    with pytest.raises(StartError, match="already_started"):
        sup.ask(Supervisor.start_child, ChildSpec("b", Actor, name="x"))
    assert [node["name"] for node in system.tree()[0]["children"]] == ["x"]


def test_what_is_below_a_killed_supervisor_is_stopped_in_order_by_its_own() -> None:
    stopped: list[str] = []

    class Orderly(Actor):
        def on_stop(self, reason: object) -> None:
            stopped.append(f"{self.name} {reason}")

    with Simulation() as sim:
        middle = [ChildSpec(name, Orderly) for name in ("x", "y")]
        children = [
            ChildSpec("worker", Orderly),
            ChildSpec("middle", Supervisor, ("one_for_one", middle)),
        ]
        top = sim.system.spawn(Supervisor, "one_for_one", children)
        sim.system.kill(top)
        assert sim.system.registry.names() == []
        assert stopped == ["y shutdown", "x shutdown"]
        assert sim.now == 0.0
        assert sim.system.zombies == []


def test_what_is_below_a_killed_supervisor_and_stuck_is_killed_after_a_second() -> None:
    class Stuck(Actor):
        def on_stop(self, reason: object) -> None:
            lock = self.system.runtime.lock()
            lock.acquire()
            lock.acquire()

    with Simulation() as sim:
        middle = [ChildSpec("stuck", Stuck)]
        children = [ChildSpec("middle", Supervisor, ("one_for_one", middle))]
        top = sim.system.spawn(Supervisor, "one_for_one", children)
        sim.system.kill(top)
        assert sim.now == 1.0
        assert sim.system.registry.names() == []


def test_killing_an_idle_supervisor_leaves_no_zombie(seeds: Sequence[int]) -> None:
    def scenario(sim: Simulation) -> None:
        children = [ChildSpec(name, Actor) for name in "ab"]
        sup = sim.system.spawn(Supervisor, "one_for_one", children)
        sim.quiet()
        sim.system.kill(sup)
        assert sim.system.events.counts["zombie"] == 0

    explore(scenario, seeds)
