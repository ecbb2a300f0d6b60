"""`on_event(…, handled=True)`: one callable hears what happens and how long each handler took."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from worlds import World

from actors import Actor, ActorDied, ChildSpec, Refusal, Supervisor, SystemEvent
from actors.testing import Simulation, explore


class Worker(Actor):
    def work(self) -> str:
        return "done"

    def refuse(self) -> None:
        raise Refusal("no")

    def crash(self) -> None:
        raise ValueError("broken")

    def later(self) -> None:
        self.send_after(0.01, self.work)

    def beat(self) -> None:
        self.send_interval(0.01, self.work)


def told(events: Sequence[SystemEvent]) -> list[tuple[str, str]]:
    return [(event.kind, event.detail) for event in events if event.name == "worker"]


def test_a_handled_message_is_told_with_its_method_and_time() -> None:
    class Slow(Actor):
        def sleep(self, seconds: float) -> None:
            sim.sleep(seconds)

    with Simulation(seed=1) as sim:
        events: list[SystemEvent] = []
        sim.system.on_event(events.append, handled=True)
        slow = sim.system.spawn(Slow, name="slow")
        slow.ask(Slow.sleep, 2.0)
        slow.tell(Slow.sleep, 3.0)
        sim.sleep(4.0)
        assert [(e.name, e.incarnation, e.detail, e.seconds) for e in events[1:]] == [
            ("slow", slow.incarnation, "sleep", 2.0),
            ("slow", slow.incarnation, "sleep", 3.0),
        ]


def test_starts_handled_messages_crashes_restarts_and_ends_are_told_in_order(world: World) -> None:
    events: list[SystemEvent] = []
    world.system.on_event(events.append, handled=True)
    spec = ChildSpec("worker", Worker)
    root = world.system.spawn(Supervisor, "one_for_one", [spec], name="root")
    worker = world.system.handle(Worker, "worker")
    worker.ask(Worker.work)
    with pytest.raises(Refusal):
        worker.ask(Worker.refuse)
    with pytest.raises(ActorDied):
        worker.ask(Worker.crash)
    world.until(lambda: ("restarted", "") in told(events))
    world.system.stop(root)
    assert told(events) == [
        ("started", ""),
        ("handled", "work"),
        ("handled", "refuse"),
        ("handled", "crash"),
        ("crashed", ""),
        ("started", ""),
        ("restarted", ""),
        ("ended", "shutdown"),
    ]


def test_a_timers_message_is_told_under_the_method_that_it_calls(world: World) -> None:
    events: list[SystemEvent] = []
    world.system.on_event(events.append, handled=True)
    worker = world.system.spawn(Worker, name="worker")
    worker.ask(Worker.later)
    worker.ask(Worker.beat)
    world.until(lambda: told(events).count(("handled", "work")) >= 3)
    assert ("handled", "_beat") not in told(events)


@pytest.mark.parametrize("error", [ValueError("mine"), SystemExit(1), Refusal("no")])
def test_a_callable_that_raises_harms_no_actor(world: World, error: BaseException) -> None:
    def raises(event: SystemEvent) -> None:
        raise error

    world.system.on_event(raises, handled=True)
    worker = world.system.spawn(Worker, name="worker")
    assert worker.ask(Worker.work) == "done"
    assert worker.ask(Worker.work) == "done"
    assert world.system.events.counts["listener_failed"] == 3


def test_who_did_not_ask_for_handled_messages_is_not_told_of_them(world: World) -> None:
    events: list[SystemEvent] = []
    world.system.on_event(events.append)
    remove = world.system.on_event(lambda _: None, handled=True)
    worker = world.system.spawn(Worker, name="worker")
    worker.ask(Worker.work)
    assert told(events) == [("started", "")]
    remove()
    assert not world.system.events.timing


def test_who_is_removed_is_told_no_more_and_another_time_of_the_same_callable_is(
    world: World,
) -> None:
    events: list[SystemEvent] = []
    worker = world.system.spawn(Worker, name="worker")
    first = world.system.on_event(events.append, handled=True)
    second = world.system.on_event(events.append, handled=True)
    first()
    first()
    worker.ask(Worker.work)
    assert told(events) == [("handled", "work")]
    second()
    worker.ask(Worker.work)
    assert told(events) == [("handled", "work")]


def test_one_may_come_and_go_while_messages_are_handled(seeds: Sequence[int]) -> None:
    def scenario(sim: Simulation) -> None:
        events: list[SystemEvent] = []
        worker = sim.system.spawn(Worker, name="worker")

        def listen() -> None:
            remove = sim.system.on_event(events.append, handled=True)
            sim.yield_point()
            remove()

        sim.start_thread(listen, "listener")
        assert [worker.ask(Worker.work) for _ in range(5)] == ["done"] * 5
        assert set(told(events)) <= {("handled", "work")}

    explore(scenario, seeds)
