"""What a user may do who means no harm: shared values, odd names, many of something."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import pytest
from worlds import World

from actors import (
    Actor,
    ActorDied,
    ActorRef,
    ChildSpec,
    Future,
    Promise,
    Refusal,
    Supervisor,
    System,
)
from actors.testing import Simulation, explore

NOT_TODAY = Refusal("not today")  # one for all, as a constant of a module


class Plain(Actor):
    def __init__(self, *args: object, **kwargs: object) -> None:
        self.made_with = (args, kwargs)

    def how_made(self) -> object:
        return self.made_with

    def odd(self, method: int = 0, work: int = 0, seconds: int = 0) -> tuple[int, int, int]:
        return method, work, seconds

    def do(self, work: Callable[[Plain], object]) -> object:
        return work(self)

    def crash(self) -> None:
        raise ValueError

    def refuse(self) -> None:
        raise NOT_TODAY

    def hear(self, other: ActorRef[Plain]) -> str:
        try:
            other.ask(Plain.refuse)
        except Refusal as refusal:
            return str(refusal)
        return "heard nothing"


def test_a_mapping_that_is_changed_after_its_spec_was_made_changes_no_restart(
    world: World,
) -> None:
    kwargs: dict[str, object] = {"a": 1}
    spec = ChildSpec("child", Plain, (), kwargs)
    world.system.spawn(Supervisor, "one_for_one", [spec])
    kwargs["b"] = 2
    before = world.system.whereis("child")
    child = world.system.handle(Plain, "child")
    child.tell(Plain.crash)
    world.until(lambda: world.system.whereis("child") not in (None, before))
    world.until(lambda: child.ask(Plain.how_made) == ((), {"a": 1}))


def test_callbacks_come_in_the_order_in_which_they_were_added(seeds: Sequence[int]) -> None:
    def scenario(sim: Simulation) -> None:
        called: list[int] = []
        future: Future[object] = sim.system.spawn(Plain).call(Plain.how_made)
        for number in range(4):
            future.on_done(lambda _, number=number: called.append(number))  # type: ignore[misc]
        sim.quiet()
        assert sorted(called) == [0, 1, 2, 3]
        held = sim.system.spawn(Plain).call(Plain.do, lambda _: sim.sleep(1))
        for number in range(4, 8):
            held.on_done(lambda _, number=number: called.append(number))  # type: ignore[misc]
        sim.sleep(2)
        assert called[4:] == [4, 5, 6, 7]

    explore(scenario, seeds)


def test_the_promise_of_another_message_is_no_answer(world: World) -> None:
    class Forgetful(Actor):
        def first(self) -> Promise[int]:
            self.kept: Promise[int] = self.promise()
            return self.kept

        def second(self) -> Promise[int]:
            return self.kept

    ref = world.system.spawn(Forgetful)
    ref.call(Forgetful.first)
    with pytest.raises(ActorDied, match="a promise answers the one message in which it was made"):
        ref.ask(Forgetful.second)


def test_a_method_may_have_arguments_of_any_name(world: World) -> None:
    ref = world.system.spawn(Plain, cls=1, actor=2)
    assert ref.ask(Plain.how_made) == ((), {"cls": 1, "actor": 2})
    assert ref.ask(Plain.odd, method=1, work=2, seconds=3) == (1, 2, 3)
    assert ref.call(Plain.odd, method=1).get() == (1, 0, 0)
    ref.tell(Plain.odd, method=1)
    assert ChildSpec.of("child", Plain, actor=1).kwargs == {"actor": 1}


def test_a_refusal_that_was_heard_in_an_earlier_message_can_be_ones_own_answer(
    world: World,
) -> None:
    one, other = world.system.spawn(Plain), world.system.spawn(Plain)
    assert one.ask(Plain.hear, other) == "not today"
    with pytest.raises(Refusal, match="not today"):
        one.ask(Plain.refuse)
    assert one.alive


def test_a_change_of_state_that_exits_is_its_askers_own(world: World) -> None:
    ref = world.system.spawn(Plain)
    with pytest.raises(SystemExit):
        world.system.inspect(ref).replace_state(lambda _: sys.exit(3))
    assert ref.ask(Plain.odd) == (0, 0, 0)


def test_a_killed_actor_answers_a_look_that_it_had_begun() -> None:
    with Simulation(seed=1) as sim:
        ref = sim.system.spawn(Plain)

        def look(_: object) -> None:
            sim.sleep(1)
            ref.tell(Plain.odd)  # its thread ends here

        sim.start_thread(lambda: sim.sleep(0.5) or sim.system.kill(ref), "killer")  # type: ignore[func-returns-value]
        with pytest.raises(ActorDied, match="killed"):
            sim.system.inspect(ref).replace_state(look)
        assert sim.now == 1


class Name(str):
    """A text that counts how often it is compared with another."""

    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Name.compared += 1
        return str.__eq__(self, other)


def test_giving_back_a_name_costs_no_more_when_there_are_many(system: System) -> None:
    names = [Name(f"name {number}") for number in range(300)]

    def register(actor: Plain) -> None:
        for name in names:
            actor.register(name)

    def unregister(actor: Plain) -> None:
        for name in reversed(names):
            actor.unregister(name)

    ref = system.spawn(Plain)
    ref.ask(Plain.do, register)
    Name.compared = 0
    ref.ask(Plain.do, unregister)
    assert Name.compared < 3 * len(names)
