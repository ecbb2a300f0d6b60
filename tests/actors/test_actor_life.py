"""One incarnation: how it starts, serves, fails and ends."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from actors import (
    NORMAL,
    Actor,
    ActorDied,
    Down,
    ExitReason,
    Ignore,
    Info,
    NoSuchActor,
    Refusal,
    StartError,
    StartIgnored,
    System,
)


class Counter(Actor):
    def __init__(self, value: int = 0) -> None:
        self.value = value
        self.thread = threading.current_thread()
        self.stops: list[ExitReason] = []

    def on_stop(self, reason: ExitReason) -> None:
        self.stops.append(reason)

    def add(self, amount: int) -> int:
        self.value += amount
        return self.value

    def refuse(self) -> None:
        raise Refusal("not today")

    def crash(self) -> None:
        raise ValueError("broken")

    def leave(self) -> None:
        self.stop()

    def exit_python(self) -> None:
        sys.exit(3)

    def thread_name(self) -> tuple[bool, str]:
        here = threading.current_thread()
        return here is self.thread, here.name


class Watcher(Actor):
    def __init__(self) -> None:
        self.downs: list[Down] = []

    def on_down(self, down: Down) -> None:
        self.downs.append(down)

    def watch_name(self, name: str) -> None:
        self.monitor(self.system.handle(Counter, name))

    def seen(self) -> list[Down]:
        return list(self.downs)


def test_constructor_and_handlers_run_in_one_thread_named_like_the_actor(system: System) -> None:
    ref = system.spawn(Counter, name="counter")
    assert ref.ask(Counter.thread_name) == (True, "counter")


def test_name_incarnation_and_system_are_there_before_the_constructor(system: System) -> None:
    class Curious(Actor):
        def __init__(self) -> None:
            self.seen = (self.name, self.incarnation, self.system, self.ref)

        def look(self) -> object:
            return self.seen

    ref = system.spawn(Curious, name="curious")
    assert ref.ask(Curious.look) == ("curious", ref.incarnation, system, ref)


def test_arguments_reach_the_constructor_and_answers_come_back(system: System) -> None:
    assert system.spawn(Counter, 40).ask(Counter.add, 2) == 42


def test_told_messages_are_served_in_order(system: System) -> None:
    class Log(Actor):
        def __init__(self) -> None:
            self.lines: list[int] = []

        def write(self, line: int) -> None:
            self.lines.append(line)

        def read(self) -> list[int]:
            return self.lines

    ref = system.spawn(Log)
    for number in range(100):
        ref.tell(Log.write, number)
    assert ref.ask(Log.read) == list(range(100))


def test_a_method_is_looked_up_on_the_receiver(system: System) -> None:
    class Double(Counter):
        def add(self, amount: int) -> int:
            return super().add(2 * amount)

    system.spawn(Double, name="counter")
    assert system.handle(Counter, "counter").ask(Counter.add, 4) == 8


def test_a_refusal_reaches_the_asker_and_the_actor_lives(system: System) -> None:
    ref = system.spawn(Counter)
    with pytest.raises(Refusal, match="not today"):
        ref.ask(Counter.refuse)
    assert ref.ask(Counter.add, 1) == 1


def test_a_refused_tell_is_a_dead_letter_and_the_actor_lives(system: System) -> None:
    ref = system.spawn(Counter)
    ref.tell(Counter.refuse)
    assert ref.ask(Counter.add, 1) == 1
    assert system.dead_letters == {"refused": 1}


def test_an_exception_under_ask_ends_the_actor_and_answers_the_asker(system: System) -> None:
    ref = system.spawn(Counter)
    with pytest.raises(ActorDied) as caught:
        ref.ask(Counter.crash)
    assert isinstance(caught.value.reason.error, ValueError)
    assert "in crash" in caught.value.reason.traceback
    assert ref.join(5)


def test_an_exception_under_tell_ends_the_actor(system: System) -> None:
    ref = system.spawn(Counter)
    ref.tell(Counter.crash)
    assert ref.join(5)
    assert ref.reason is not None
    assert ref.reason.kind == "error"


def test_the_error_does_not_keep_the_frames_of_the_dead_handler(system: System) -> None:
    ref = system.spawn(Counter)
    with pytest.raises(ActorDied) as caught:
        ref.ask(Counter.crash)
    error = caught.value.reason.error
    assert error is not None
    assert error.__traceback__ is None


def test_sys_exit_in_one_actor_leaves_all_others_alive_and_answers_the_asker(
    system: System,
) -> None:
    other = system.spawn(Counter)
    ref = system.spawn(Counter)
    with pytest.raises(ActorDied):
        ref.ask(Counter.exit_python)
    assert ref.join(5)
    assert other.ask(Counter.add, 1) == 1


def test_stop_from_inside_ends_it_after_the_present_message(system: System) -> None:
    ref = system.spawn(Counter)
    assert ref.ask(Counter.leave) is None
    assert ref.join(5)
    assert ref.reason == NORMAL


def test_stop_from_outside_goes_before_waiting_messages(system: System) -> None:
    release = threading.Event()

    class Slow(Actor):
        def __init__(self) -> None:
            self.served = 0

        def work(self) -> None:
            self.served += 1
            release.wait(5)

    ref = system.spawn(Slow)
    for _ in range(100):
        ref.tell(Slow.work)
    ref.stop()
    release.set()
    assert ref.join(5)
    assert system.dead_letters["tell_dead"] >= 98


def test_on_stop_gets_the_reason_whatever_it_is(system: System) -> None:
    reasons: list[str] = []

    class Last(Counter):
        def on_stop(self, reason: ExitReason) -> None:
            reasons.append(reason.kind)

    for method in (Last.leave, Last.crash):
        ref = system.spawn(Last)
        ref.tell(method)
        assert ref.join(5)
    ref = system.spawn(Last)
    ref.stop()
    assert ref.join(5)
    assert reasons == ["normal", "error", "shutdown"]


def test_an_exception_in_on_stop_becomes_the_reason(system: System) -> None:
    class Clumsy(Counter):
        def on_stop(self, reason: ExitReason) -> None:
            raise OSError("no space")

    ref = system.spawn(Clumsy)
    ref.stop()
    assert ref.join(5)
    assert ref.reason is not None
    assert isinstance(ref.reason.error, OSError)


def test_on_start_raising_is_a_start_error_and_leaves_no_name(system: System) -> None:
    class Broken(Actor):
        def on_start(self) -> None:
            raise RuntimeError("no database")

    with pytest.raises(StartError, match="no database") as caught:
        system.spawn(Broken, name="store")
    assert isinstance(caught.value.reason.error, RuntimeError)
    assert system.whereis("store") is None
    assert system.tree() == []


def test_a_constructor_that_raises_is_a_start_error(system: System) -> None:
    with pytest.raises(StartError, match="unexpected keyword"):
        system.spawn(Counter, wrong=1)


def test_on_start_may_ignore(system: System) -> None:
    class Shy(Actor):
        def on_start(self) -> Ignore:
            return Ignore()

    with pytest.raises(StartIgnored):
        system.spawn(Shy, name="shy")
    assert system.whereis("shy") is None
    assert system.events.counts["crashed"] == 0


def test_on_start_may_hand_over_information(system: System) -> None:
    class Server(Actor):
        def on_start(self) -> Info:
            return Info({"port": 8080})

    assert system.spawn(Server).info == {"port": 8080}


def test_on_start_returning_anything_else_is_a_start_error(system: System) -> None:
    class Odd(Actor):
        def on_start(self) -> None:
            return 7  # type: ignore[return-value]

    with pytest.raises(StartError, match="bad return of on_start: 7"):
        system.spawn(Odd)


def test_a_start_that_takes_too_long_is_killed_and_reported(system: System, eventually) -> None:  # type: ignore[no-untyped-def]
    release = threading.Event()

    class Stuck(Actor):
        def on_start(self) -> None:
            release.wait(5)

    with pytest.raises(StartError, match=r"no start within 0.02 s"):
        system.spawn(Stuck, name="stuck", start_timeout=0.02)
    assert system.whereis("stuck") is None
    assert system.zombies == ["stuck"]
    release.set()
    eventually(lambda: system.zombies == [])


def test_one_down_arrives_after_on_stop_has_finished(system: System, eventually) -> None:  # type: ignore[no-untyped-def]
    order: list[str] = []

    class Tidy(Actor):
        def on_stop(self, reason: ExitReason) -> None:
            time.sleep(0.02)  # a cleanup that takes time is the point here
            order.append("cleaned")

    class Mourner(Watcher):
        def on_down(self, down: Down) -> None:
            order.append("down")

    system.spawn(Tidy, name="tidy")
    mourner = system.spawn(Mourner)
    mourner.ask(Watcher.watch_name, "tidy")
    system.handle(Tidy, "tidy").stop()
    eventually(lambda: "down" in order)
    assert order == ["cleaned", "down"]


def test_monitoring_a_dead_or_unknown_actor_gives_one_down_at_once(system: System) -> None:
    watcher = system.spawn(Watcher)
    watcher.ask(Watcher.watch_name, "nobody")
    downs = watcher.ask(Watcher.seen)
    assert [(down.name, down.ref, down.reason.detail) for down in downs] == [
        ("nobody", None, "no such actor")
    ]


def test_an_actor_that_ends_stops_watching(system: System) -> None:
    counter = system.spawn(Counter, name="counter")
    watcher = system.spawn(Watcher)
    watcher.ask(Watcher.watch_name, "counter")
    watcher.stop()
    assert watcher.join(5)
    assert counter.cell().monitors == {}


def test_two_actors_of_one_name_cannot_be(system: System) -> None:
    first = system.spawn(Counter, name="counter")
    with pytest.raises(StartError, match="already_started"):
        system.spawn(Counter, name="counter")
    assert system.whereis("counter") == first


def test_the_name_is_free_when_the_actor_has_ended(system: System) -> None:
    first = system.spawn(Counter, name="counter")
    first.stop()
    assert first.join(5)
    second = system.spawn(Counter, name="counter")
    assert second.incarnation > first.incarnation


def test_sending_to_nobody_is_a_dead_letter_or_an_error_at_once(system: System) -> None:
    nobody = system.handle(Counter, "nobody")
    nobody.tell(Counter.add, 1)
    assert system.dead_letters == {"tell_absent": 1}
    with pytest.raises(NoSuchActor):
        nobody.ask(Counter.add, 1)
    with pytest.raises(NoSuchActor):
        nobody.call(Counter.add, 1).get()


def test_a_ref_to_an_ended_incarnation_never_reaches_the_next_one(system: System) -> None:
    old = system.spawn(Counter, name="counter")
    old.stop()
    assert old.join(5)
    system.spawn(Counter, name="counter")
    with pytest.raises(ActorDied):
        old.ask(Counter.add, 1)
    old.tell(Counter.add, 1)
    assert system.dead_letters == {"tell_dead": 1}


def test_an_injected_error_is_raised_in_the_next_turn_for_a_user_message(system: System) -> None:
    ref = system.spawn(Counter, name="counter")
    system.inject("counter", OSError("disk full"))
    with pytest.raises(ActorDied, match="disk full"):
        ref.ask(Counter.add, 1)


def test_on_idle_runs_when_the_mailbox_has_run_empty(system: System, eventually) -> None:  # type: ignore[no-untyped-def]
    class Batch(Actor):
        def __init__(self) -> None:
            self.pending: list[int] = []
            self.batches: list[list[int]] = []
            self.gate = threading.Event()

        def hold(self) -> None:
            self.gate.wait(5)

        def add(self, item: int) -> None:
            self.pending.append(item)

        def on_idle(self) -> None:
            if self.pending:
                self.batches.append(self.pending)
                self.pending = []

    ref = system.spawn(Batch)
    actor = ref.cell().actor
    assert isinstance(actor, Batch)
    ref.tell(Batch.hold)
    for item in range(5):
        ref.tell(Batch.add, item)
    actor.gate.set()
    eventually(lambda: actor.batches == [[0, 1, 2, 3, 4]])
