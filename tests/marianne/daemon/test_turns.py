"""What a part of an actor asks for comes in a turn of the actor, and each end of a process once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from admission_stage import until

from actors import Actor, Future, Outcome, System
from marianne.daemon.shared.turns import Turns


class Holder(Actor):
    """An actor that holds a part."""

    def __init__(self) -> None:
        self.turns = Turns(self, self.heard, self.woken)
        self.calls: list[tuple[Any, ...]] = []

    def heard(self, outcome: Outcome[Any], method: Any, *args: Any) -> None:
        method(outcome, *args)

    def woken(self, method: Any, *args: Any) -> None:
        method(*args)

    def note(self, *what: Any) -> None:
        self.calls.append((threading.get_ident(), *what))

    def later(self) -> int:
        """Asks for a call of each kind; answers in which thread its turns are."""
        answer: Future[str] = Future(self.system, "test", None, None)
        self.turns.pipe(answer, self.note, "piped")
        self.turns.after(0.001, self.note, "after")
        turns, note = self.turns, self.note
        threading.Thread(target=lambda: (answer.answer("it"), turns.soon(note, "soon"))).start()
        return threading.get_ident()

    def said(self) -> list[tuple[Any, ...]]:
        return list(self.calls)


@pytest.fixture
def system() -> Iterator[System]:
    system = System("turns")
    yield system
    system.shutdown(timeout=5.0)


def test_whatever_was_waited_for_comes_in_the_actors_own_thread(system: System) -> None:
    system.spawn(Holder, name="holder")
    holder = system.handle(Holder, "holder")
    thread = holder.ask(Holder.later)
    calls = until(lambda: len(found := holder.ask(Holder.said)) == 3 and found)
    assert {call[0] for call in calls} == {thread}
    told = {call[-1]: call[1:-1] for call in calls}
    assert told == {"piped": (Outcome("it"),), "after": (), "soon": ()}


def test_the_end_of_a_process_is_told_once_to_who_watches_it_and_of_others_to_nobody() -> None:
    watched: list[Any] = []

    class Watcher:
        def watch(self, process: Any) -> None:
            watched.append(process)

    turns = Turns(Watcher(), print, print)  # type: ignore[arg-type]
    ends: list[Any] = []
    process: Any = object()
    turns.watch(process, lambda *end: ends.append(end))
    for ended in (object(), process, process):
        turns.exited(ended, "killed")  # type: ignore[arg-type]
    assert watched == [process]
    assert ends == [(process, "killed")]
