"""What a part of an actor waits for comes in a turn of the actor, and ends with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from admission_stage import until

from actors import Actor, ActorRef, Down, Future, Outcome, Promise, System
from marianne.daemon.shared.turns import Turns

LONG = 10.0


class Part:
    """Notes what it is called with, and in which thread."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.threads: set[int] = set()

    def note(self, *args: Any, **kwargs: Any) -> None:
        self.threads.add(threading.get_ident())
        self.calls.append((*args, *kwargs.items()))

    def fails(self) -> None:
        raise LookupError("a part's own fault")


class Other(Actor):
    """Whom somebody watches."""


class Whole(Actor):
    """An actor with one part."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self.part = part

    def on_start(self) -> None:
        self.turns = Turns(self, self.heard, self.woken)
        self.part.threads.add(threading.get_ident())

    def heard(self, outcome: Outcome[Any], method: Callable[..., None], *args: Any) -> None:
        method(outcome, *args)

    def woken(self, method: Callable[..., None], *args: Any) -> None:
        method(*args)

    def on_down(self, down: Down) -> None:
        self.part.note(down.name)

    def do(self, act: Callable[[Turns], Any]) -> Any:
        return act(self.turns)


@pytest.fixture
def system() -> Iterator[System]:
    system = System("turns")
    yield system
    system.shutdown(timeout=5.0)


@pytest.fixture
def part() -> Part:
    return Part()


@pytest.fixture
def whole(system: System, part: Part) -> ActorRef[Whole]:
    return system.spawn(Whole, part, name="whole")


def test_an_answer_comes_with_what_was_given_in_the_actors_own_thread(
    system: System, whole: ActorRef[Whole], part: Part
) -> None:
    future: Future[str] = Future(system, "other", None, None)
    refused: Future[str] = Future(system, "other", None, None)
    whole.ask(Whole.do, lambda turns: turns.pipe(future, part.note, "a", 1))
    whole.ask(Whole.do, lambda turns: turns.pipe(refused, part.note, "b"))
    assert part.calls == []
    future.answer("yes")
    error = LookupError("no")
    refused.refuse(error)
    until(lambda: len(part.calls) == 2)
    assert part.calls == [(Outcome("yes"), "a", 1), (Outcome(None, error), "b")]
    assert len(part.threads) == 1


def test_a_timer_comes_with_what_was_given_in_the_actors_own_thread(
    whole: ActorRef[Whole], part: Part
) -> None:
    whole.ask(Whole.do, lambda turns: turns.after(0.0, part.note, "a"))
    until(lambda: part.calls)
    assert (part.calls, len(part.threads)) == ([("a",)], 1)


def test_what_another_thread_wants_soon_is_done_in_a_turn(
    whole: ActorRef[Whole], part: Part
) -> None:
    turns: Turns = whole.ask(Whole.do, lambda turns: turns)
    turns.soon(part.note, "a")
    until(lambda: part.calls)
    assert (part.calls, len(part.threads)) == ([("a",)], 1)


def test_after_the_actors_end_nothing_is_called(
    system: System, whole: ActorRef[Whole], part: Part
) -> None:
    future: Future[str] = Future(system, "other", None, None)
    turns: Turns = whole.ask(Whole.do, lambda turns: turns)
    whole.ask(Whole.do, lambda turns: turns.pipe(future, part.note, "a"))
    whole.ask(Whole.do, lambda turns: turns.after(0.0, part.fails))
    until(lambda: system.whereis("whole") is None)
    future.answer("late")
    turns.soon(part.note, "b")
    again = system.spawn(Whole, Part(), name="whole")
    again.ask(Whole.do, lambda turns: None)
    assert part.calls == []


def test_the_answer_of_the_message_in_hand_may_be_given_later(
    system: System, whole: ActorRef[Whole]
) -> None:
    promises: list[Promise[str]] = []

    def takes_over(turns: Turns) -> Promise[str]:
        promises.append(turns.promise())
        return promises[0]

    asked = whole.call(Whole.do, takes_over)
    until(lambda: promises)
    assert not asked.done
    promises[0].set("later")
    assert asked.get(LONG) == "later"


def test_the_end_of_another_actor_is_told(
    system: System, whole: ActorRef[Whole], part: Part
) -> None:
    other = system.spawn(Other, name="other")
    whole.ask(Whole.do, lambda turns: turns.monitor(other))
    system.stop(other)
    until(lambda: part.calls)
    assert part.calls == [("other",)]
