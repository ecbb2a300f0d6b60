"""A DOWN waits its turn: behind what was sent before it, before what is sent after it."""

from __future__ import annotations

from typing import Any

from actors import Actor, ActorRef, ChildSpec, Down, Future, Outcome, Supervisor, System
from actors.runtime import Lock
from actors.testing import Simulation


class Speaker(Actor):
    def speak(self, to: ActorRef[Listener], word: str) -> None:
        to.tell(Listener.hear, word)

    def crash(self) -> None:
        raise ValueError("crash")


class Listener(Actor):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def hear(self, word: str) -> None:
        self.heard.append(word)

    def hold(self, gate: Lock) -> None:
        gate.acquire()

    def watch(self, ref: ActorRef[Any]) -> None:
        self.monitor(ref)

    def wait_for(self, future: Future[None]) -> None:
        self.pipe(future, self.answered)

    def answered(self, outcome: Outcome[None]) -> None:
        self.heard.append("answer")

    def on_down(self, down: Down) -> None:
        self.heard.append("down")

    def all_heard(self) -> list[str]:
        return self.heard


class Forgetful(Listener):
    mailbox_limit = 2
    mailbox_policy = "drop_old"


def held(system: System, listener: ActorRef[Listener]) -> Lock:
    """The listener serves nobody until the lock is released."""
    gate = system.runtime.lock()
    gate.acquire()
    listener.tell(Listener.hold, gate)
    return gate


def test_the_last_words_of_an_actor_are_heard_before_its_end() -> None:
    with Simulation() as sim:
        speaker, listener = sim.system.spawn(Speaker), sim.system.spawn(Listener)
        listener.ask(Listener.watch, speaker)
        gate = held(sim.system, listener)
        speaker.ask(Speaker.speak, listener, "first")
        speaker.ask(Speaker.speak, listener, "last")
        speaker.tell(Speaker.crash)
        assert speaker.join(5)
        listener.tell(Listener.hear, "later")
        gate.release()
        assert listener.ask(Listener.all_heard) == ["first", "last", "down", "later"]


def test_a_full_mailbox_that_drops_the_oldest_drops_no_down_and_no_answer() -> None:
    with Simulation() as sim:
        mourned, asked = sim.system.spawn(Speaker), sim.system.spawn(Listener)
        listener = sim.system.spawn(Forgetful)
        listener.ask(Listener.watch, mourned)
        answer_is_due = held(sim.system, asked)
        listener.ask(Listener.wait_for, asked.call(Listener.hear, "question"))
        gate = held(sim.system, listener)
        sim.quiet()
        listener.tell(Listener.hear, "lost")
        mourned.stop()
        sim.quiet()
        answer_is_due.release()
        sim.quiet()
        for word in ("lost", "kept"):
            listener.tell(Listener.hear, word)
        gate.release()
        sim.quiet()
        assert listener.ask(Listener.all_heard) == ["down", "answer", "kept"]
        assert sim.system.dead_letters == {"mailbox_full": 2}


def test_a_child_that_has_ended_is_not_active_also_before_its_supervisor_knows() -> None:
    class Slow(Actor):
        def __init__(self, gate: Lock) -> None:
            gate.acquire()

    with Simulation() as sim:
        sup = sim.system.spawn(Supervisor, "one_for_one", [ChildSpec("a", Speaker)])
        gate = sim.system.runtime.lock()
        gate.acquire()
        sup.call(Supervisor.start_child, ChildSpec("slow", Slow, (gate,)))
        counts = sup.call(Supervisor.count_children)
        sim.quiet()
        ref = sim.system.whereis("a")
        assert ref is not None
        sim.system.kill(ref)
        gate.release()
        assert counts.get()["active"] == 1  # the slow one
        sim.quiet()
        assert sup.ask(Supervisor.count_children)["active"] == 2


def test_requests_have_their_turn_beside_children_that_die_without_end() -> None:
    """A supervisor that has only deaths to deal with would never answer."""

    class Dying(Actor):
        def on_start(self) -> None:
            self.ref.tell(Dying.crash)

        def crash(self) -> None:
            raise ValueError("crash")

    with Simulation() as sim:
        specs = [ChildSpec(name, Dying) for name in "abc"]
        sup = sim.system.spawn(Supervisor, "one_for_one", specs, intensity=10**9)
        for _ in range(20):
            assert sup.ask(Supervisor.count_children)["specs"] == 3
        sup.stop()
        sim.until(lambda: sup.reason is not None)
