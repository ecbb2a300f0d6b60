"""`AskCycle` means a wait that could never end, and nothing less."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from actors import Actor, ActorRef, AskCycle, ChildSpec, Promise, Supervisor, System
from actors.testing import Simulation, explore


class Front(Actor):
    def relay(self, back: ActorRef[Back]) -> str:
        return back.ask(Back.question, self.ref)

    def relay_late(self, back: ActorRef[Back]) -> str:
        return back.ask(Back.question_for_later, self.ref)

    def colour(self) -> str:
        return "red"


class Back(Actor):
    def __init__(self) -> None:
        self.heard: list[str] = []
        self.kept: Promise[str] | None = None

    def question(self, asker: ActorRef[Front]) -> str:
        self.ref.tell(Back.ask_back, asker)  # served after the answer
        return "answer"

    def ask_back(self, asker: ActorRef[Front]) -> None:
        self.heard.append(asker.ask(Front.colour))

    def question_for_later(self, asker: ActorRef[Front]) -> Promise[str]:
        promise: Promise[str] = self.promise()
        start = self.system.runtime.start_thread
        start(lambda: promise.set("answer"), "who owes the answer")
        self.heard.append(asker.ask(Front.colour))
        return promise


class Curious(Actor):
    """Asks its supervisor in its first message, and whenever it has nothing to do."""

    def __init__(self) -> None:
        self.ref.tell(Curious.look)

    def look(self) -> None:
        self.system.handle(Supervisor, "sup").ask(Supervisor.count_children)

    def on_idle(self) -> None:
        self.look()

    def crash(self) -> None:
        raise ValueError("told to crash")


def test_who_has_answered_may_ask_its_asker(seeds: Sequence[int]) -> None:
    def scenario(sim: Simulation) -> None:
        back = sim.system.spawn(Back)
        assert sim.system.spawn(Front).ask(Front.relay, back) == "answer"
        sim.until(lambda: sim.system.inspect(back).state()["heard"] == ["red"])

    explore(scenario, seeds, lines=True)


@pytest.mark.slow
def test_a_child_may_ask_its_supervisor_as_soon_as_it_runs(seeds: Sequence[int]) -> None:
    def scenario(sim: Simulation) -> None:
        sim.system.spawn(Supervisor, "one_for_one", [ChildSpec("a", Curious)], name="sup")
        first = sim.system.whereis("a")
        sim.quiet()
        assert first is not None
        assert sim.system.whereis("a") == first
        sim.system.handle(Curious, "a").tell(Curious.crash)
        sim.until(lambda: sim.system.whereis("a") not in {None, first})
        second = sim.system.whereis("a")
        sim.quiet()
        assert sim.system.whereis("a") == second

    explore(scenario, seeds, lines=True)


def test_an_answer_that_another_thread_owes_is_no_cycle(seeds: Sequence[int]) -> None:
    def scenario(sim: Simulation) -> None:
        back = sim.system.spawn(Back)
        assert sim.system.spawn(Front).ask(Front.relay_late, back) == "answer"
        assert sim.system.inspect(back).state()["heard"] == ["red"]

    explore(scenario, seeds)


class Selfish(Actor):
    def join_itself(self) -> None:
        self.ref.join()


def test_to_join_oneself_is_a_cycle_and_says_so(system: System) -> None:
    ref = system.spawn(Selfish)
    done = threading.Event()
    threading.Thread(target=lambda: (ref.join(), done.set()), daemon=True).start()
    ref.tell(Selfish.join_itself)
    assert done.wait(5)
    assert ref.reason is not None
    assert isinstance(ref.reason.error, AskCycle)


@pytest.mark.parametrize("ends", ["stop", "shutdown"])
def test_an_actor_that_ends_its_own_system_or_itself_does_not_wait_for_itself(ends: str) -> None:
    class Last(Actor):
        def end(self) -> None:
            if ends == "stop":
                self.system.stop(self.ref)
            else:
                self.system.shutdown()

    with Simulation() as sim:
        other = sim.system.spawn(Actor)
        ref = sim.system.spawn(Last)
        third = sim.system.spawn(Actor)
        ref.tell(Last.end)
        assert ref.join(1.0)
        assert str(ref.reason) == "shutdown"
        assert sim.now == 0.0
        assert [other.alive, third.alive] == [ends == "stop"] * 2
