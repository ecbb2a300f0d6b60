"""Kill while something is being started, and what a suspended actor does with its timers."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from actors import Actor, ChildSpec, StartError, Supervisor, System
from actors.testing import Simulation

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


def test_two_children_with_one_name_are_refused_and_the_first_stays_in_the_tree(
    system: System,
) -> None:
    sup = system.spawn(Supervisor, "one_for_one", [ChildSpec("a", Actor, name="x")])
    with pytest.raises(StartError, match="already_started"):
        sup.ask(Supervisor.start_child, ChildSpec("b", Actor, name="x"))
    assert [node["name"] for node in system.tree()[0]["children"]] == ["x"]
