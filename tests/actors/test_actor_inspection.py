"""Looking into actors, holding them, and drawing the tree."""

from __future__ import annotations

import threading

import pytest
from stage import Stage

from actors import Actor, ActorDied, NoSuchActor, Supervisor, System


class Box(Actor):
    def __init__(self) -> None:
        self.items: list[int] = []

    def put(self, item: int) -> None:
        self.items.append(item)

    def hold(self, gate: threading.Event) -> None:
        gate.wait(5)


def test_state_shows_the_attributes_of_the_actor(system: System) -> None:
    ref = system.spawn(Box)
    ref.tell(Box.put, 1)
    ref.ask(Box.put, 2)
    assert system.inspect(ref).state() == {"items": [1, 2]}


def test_state_can_be_replaced_between_two_messages(system: System) -> None:
    ref = system.spawn(Box)
    system.inspect(ref).replace_state(lambda box: box.items.append(42))
    assert system.inspect(ref).state() == {"items": [42]}


def test_a_suspended_actor_serves_no_user_message_but_answers_inspection_and_stops(
    system: System,
) -> None:
    ref = system.spawn(Box, name="box")
    inspector = system.inspect(ref)
    inspector.suspend()
    ref.tell(Box.put, 1)
    assert inspector.state() == {"items": []}
    assert system.tree()[0]["state"] == "suspended"
    inspector.resume()
    ref.ask(Box.put, 2)
    assert inspector.state() == {"items": [1, 2]}
    inspector.suspend()
    ref.stop()
    assert ref.join(5)


def test_statistics_work_on_a_stuck_actor(system: System) -> None:
    gate = threading.Event()
    ref = system.spawn(Box)
    ref.ask(Box.put, 1)
    ref.tell(Box.hold, gate)
    ref.tell(Box.put, 2)
    statistics = system.inspect(ref).statistics()
    assert statistics["state"] == "busy"
    assert statistics["mailbox"] in {1, 2}
    gate.set()


def test_the_trace_ring_remembers_the_last_messages(system: System) -> None:
    ref = system.spawn(Box)
    inspector = system.inspect(ref)
    inspector.trace(2)
    for item in range(3):
        ref.tell(Box.put, item)
    ref.ask(Box.put, 3)
    assert [method for _, method in inspector.traced()] == ["put", "put"]
    inspector.trace(0)
    assert inspector.traced() == []


def test_an_error_of_the_look_is_the_askers(system: System) -> None:
    ref = system.spawn(Box)
    with pytest.raises(ZeroDivisionError):
        system.inspect(ref).replace_state(lambda box: 1 / 0)
    assert ref.alive


def test_inspecting_nobody_or_the_dead_fails_at_once(system: System) -> None:
    with pytest.raises(NoSuchActor):
        system.inspect(system.handle(Box, "nobody"))
    ref = system.spawn(Box)
    inspector = system.inspect(ref)
    ref.stop()
    assert ref.join(5)
    with pytest.raises(ActorDied):
        inspector.state()


def test_tree_shows_every_place_with_its_restarts_and_its_last_crash(stage: Stage) -> None:
    stage.supervisor(stage.group("g", stage.child("a")), stage.child("b"))
    stage.end("a", sup="g")
    stage.system.handle(Supervisor, "sup").ask(Supervisor.terminate_child, "b")
    stage.until(lambda: stage.system.inspect(stage.player("a")).statistics()["state"] == "idle")
    stage.until(lambda: stage.system.tree()[0]["state"] == "idle")
    idle = {"state": "idle", "restarts": 0, "mailbox": 0, "last_crash": None, "children": []}
    a = {**idle, "name": "a", "restarts": 1, "last_crash": "error: ValueError: told to crash"}
    g = {**idle, "name": "g", "children": [a]}
    b = {**idle, "name": "b", "state": "down"}
    assert stage.system.tree() == [{**idle, "name": "sup", "children": [g, b]}]
