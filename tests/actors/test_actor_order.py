"""Messages, timers and DOWNs are served in the order in which they came; a stop comes first."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from actors import (
    Actor,
    ActorRef,
    ChildSpec,
    Down,
    ExitReason,
    MailboxFull,
    Refusal,
    Supervisor,
    System,
    Timer,
)
from actors.testing import Simulation, explore


class Clerk(Actor):
    def __init__(self) -> None:
        self.log: list[str] = []

    def note(self, word: str) -> None:
        self.log.append(word)

    def read(self) -> list[str]:
        return list(self.log)

    def observe(self, other: ActorRef[Any]) -> None:
        self.monitor(other)

    def on_down(self, down: Down) -> None:
        self.log.append(f"down {down.name}")

    def at(self, seconds: float, word: str) -> Timer:
        return self.send_after(seconds, self.note, word)


class Talker(Actor):
    def last_words(self, to: ActorRef[Clerk]) -> None:
        to.tell(Clerk.note, "last words")
        self.stop()


class Slow(Actor):
    """Its beat is faster than its handler."""

    def __init__(self) -> None:
        self.ticks = 0

    def on_start(self) -> None:
        self.timer = self.send_interval(0.010, self.tick)

    def tick(self) -> None:
        self.ticks += 1
        lock = self.system.runtime.lock()
        lock.acquire()
        lock.acquire(True, 0.015)

    def read(self) -> int:
        return self.ticks

    def cancel(self) -> None:
        self.timer.cancel()


def test_a_down_comes_after_the_last_words_of_the_dead(seeds: Sequence[int]) -> None:
    def scenario(sim: Simulation) -> None:
        clerk = sim.system.spawn(Clerk)
        talker = sim.system.spawn(Talker, name="t")
        clerk.ask(Clerk.observe, talker)
        talker.tell(Talker.last_words, clerk)
        sim.until(lambda: len(clerk.ask(Clerk.read)) == 2)
        assert clerk.ask(Clerk.read) == ["last words", "down t"]

    explore(scenario, seeds)


def test_a_suspended_actor_serves_afterwards_what_came_in_its_order() -> None:
    with Simulation() as sim:
        clerk = sim.system.spawn(Clerk)
        dying = sim.system.spawn(Actor, name="d")
        clerk.ask(Clerk.observe, dying)
        for number in range(4):
            clerk.ask(Clerk.at, 1.0 + number, f"timer {number}")
        inspector = sim.system.inspect(clerk)
        inspector.suspend()
        sim.sleep(2.5)
        clerk.tell(Clerk.note, "told")
        dying.stop()
        sim.sleep(5)
        assert inspector.state()["log"] == []
        inspector.resume()
        sim.quiet()
        assert clerk.ask(Clerk.read) == [
            *("timer 0", "timer 1", "told", "down d", "timer 2", "timer 3")
        ]


def test_a_beat_that_is_too_fast_neither_starves_the_actor_nor_piles_up() -> None:
    with Simulation() as sim:
        ref = sim.system.spawn(Slow)
        sim.sleep(3.0)
        begun = sim.now
        ticks = ref.ask(Slow.read)
        assert 150 <= ticks <= 250
        assert sim.now - begun <= 0.031
        assert len(ref.cell().mailbox) <= 1
        begun = sim.now
        ref.stop()
        assert ref.join(1.0)
        assert sim.now - begun <= 0.016


def test_a_cancelled_beat_is_not_served_any_more() -> None:
    with Simulation() as sim:
        ref = sim.system.spawn(Slow)
        sim.system.inspect(ref).suspend()
        sim.sleep(1.0)
        cancelled = ref.call(Slow.cancel)
        sim.sleep(1.0)
        sim.system.inspect(ref).resume()
        cancelled.get()
        ticks = ref.ask(Slow.read)
        sim.sleep(1.0)
        assert ref.ask(Slow.read) == ticks <= 1


def test_a_stop_goes_before_all_that_waits() -> None:
    with Simulation() as sim:
        ref = sim.system.spawn(Slow)
        ref.tell(Slow.tick)
        sim.quiet()
        asked = [ref.call(Slow.read) for _ in range(100)]
        ref.stop()
        assert ref.join(1.0)
        assert not any(future.outcome().ok for future in asked)


def test_deaths_in_quick_succession_do_not_keep_a_supervisor_from_its_requests() -> None:
    class Doomed(Actor):
        def __init__(self) -> None:
            self.ref.tell(Doomed.die)

        def die(self) -> None:
            raise ValueError("at once")

    with Simulation(max_steps=100_000) as sim:
        children = [ChildSpec(name, Doomed) for name in "abc"]
        sup = sim.system.spawn(
            Supervisor, "one_for_one", children, intensity=10**9, period=1.0, name="sup"
        )
        for _ in range(20):
            assert sup.within(None).ask(Supervisor.count_children)["specs"] == 3
        sim.system.kill(sup)


def test_what_was_sent_before_a_death_is_served_before_its_restart() -> None:
    with Simulation() as sim:
        sup = sim.system.spawn(Supervisor, "one_for_one", [ChildSpec("a", Clerk)], name="sup")
        inspector = sim.system.inspect(sup)
        inspector.suspend()
        counted = sup.call(Supervisor.count_children)
        sim.system.kill(sim.system.handle(Clerk, "a"))
        after = sup.call(Supervisor.which_children)
        inspector.resume()
        assert counted.get()["specs"] == 1
        [(_, state, _)] = after.get()
        assert isinstance(state, ActorRef)
        assert state.incarnation > 2


def test_a_refusal_in_a_timer_or_a_down_is_a_dead_letter(system: System) -> None:
    told = threading.Event()

    class Picky(Actor):
        def on_start(self) -> None:
            self.send_after(0, self.refuse)

        def refuse(self) -> None:
            told.set()
            raise Refusal("no")

        def on_down(self, down: Down) -> None:
            self.refuse()

        def observe(self, other: ActorRef[Any]) -> None:
            self.monitor(other)

    ref = system.spawn(Picky)
    assert told.wait(5)
    other = system.spawn(Actor)
    ref.ask(Picky.observe, other)
    other.stop()
    assert other.join(5)
    ref.ask(Picky.observe, ref)
    assert system.dead_letters == {"refused": 2}


class Small(Clerk):
    mailbox_limit = 1
    mailbox_policy = "block"


def test_a_sender_that_waits_for_room_is_always_woken(seeds: Sequence[int]) -> None:
    def scenario(sim: Simulation) -> None:
        ref = sim.system.spawn(Small)
        sent: list[int] = []

        def send(number: int) -> None:
            ref.tell(Small.note, str(number))
            sent.append(number)

        for number in range(3):
            sim.start_thread(lambda number=number: send(number), f"sender-{number}")
        sim.until(lambda: len(sent) == 3)
        assert sim.now == 0.0, "a sender waited for its time to end, not for room"

    explore(scenario, seeds, lines=True)


class DropOld(Clerk):
    mailbox_limit = 3
    mailbox_policy = "drop_old"


def test_a_full_mailbox_that_drops_old_messages_drops_no_timer_and_no_down() -> None:
    with Simulation() as sim:
        ref = sim.system.spawn(DropOld)
        dying = sim.system.spawn(Actor, name="d")
        ref.ask(Clerk.observe, dying)
        ref.ask(Clerk.at, 0.5, "timer")
        inspector = sim.system.inspect(ref)
        inspector.suspend()
        dying.stop()
        sim.sleep(1.0)
        for number in range(5):
            ref.tell(Clerk.note, str(number))
        inspector.resume()
        sim.quiet()
        assert inspector.state()["log"] == ["down d", "timer", "4"]
        inspector.suspend()
        for number in range(3):
            sim.system.timers.after(0, lambda: None)
            ref.cell().actor.send_after(0.1, ref.cell().actor.note, f"timer {number}")  # type: ignore[union-attr, attr-defined]
        sim.sleep(1.0)
        ref.tell(Clerk.note, "no room")
        inspector.resume()
        sim.quiet()
        assert inspector.state()["log"][3:] == ["timer 0", "timer 1", "timer 2"]
        assert sim.system.dead_letters == {"mailbox_full": 5}


def test_a_dead_monitor_is_not_kept(seeds: Sequence[int]) -> None:
    def scenario(sim: Simulation) -> None:
        clerk = sim.system.spawn(Clerk)
        other = sim.system.spawn(Actor)
        sim.start_thread(other.stop, "stopper")
        clerk.ask(Clerk.observe, other)
        sim.until(lambda: clerk.ask(Clerk.read))
        assert not clerk.cell().watching
        assert not other.cell().monitors

    explore(scenario, seeds, lines=True)


def test_a_mailbox_at_its_limit_still_refuses() -> None:
    class Tight(Clerk):
        mailbox_limit = 2

    with Simulation() as sim:
        ref = sim.system.spawn(Tight)
        sim.system.inspect(ref).suspend()
        ref.tell(Clerk.note, "1")
        ref.tell(Clerk.note, "2")
        with pytest.raises(MailboxFull):
            ref.tell(Clerk.note, "3")


def test_the_first_stop_says_the_reason_unless_the_actor_itself_does() -> None:
    class Own(Actor):
        def end(self) -> None:
            self.ref.stop()
            self.stop(ExitReason("error", "mine"))

    with Simulation() as sim:
        ref = sim.system.spawn(Own)
        ref.tell(Own.end)
        assert ref.join(1.0)
        assert str(ref.reason) == "error(mine)"
