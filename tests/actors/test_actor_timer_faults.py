"""The one timer thread outlives whatever its timers do, and keeps no timer that has fired."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence

import pytest

from actors import Actor, AskTimeout, ChildSpec, ExitReason, Promise, Supervisor, System, Timer
from actors.runtime import RealRuntime
from actors.testing import Simulation, explore

Eventually = Callable[[Callable[[], object]], None]


class Clock(Actor):
    def __init__(self) -> None:
        self.ticks = 0
        self.kept: list[Promise[None]] = []

    def after(self, seconds: float) -> Timer:
        return self.send_after(seconds, self.tick)

    def every(self, seconds: float) -> Timer:
        return self.send_interval(seconds, self.tick)

    def tick(self) -> None:
        self.ticks += 1

    def read(self) -> int:
        return self.ticks

    def never_answer(self) -> Promise[None]:
        self.kept.append(self.promise())
        return self.kept[-1]


@pytest.mark.parametrize("seconds", [math.inf, 1e12, 3e9, 1e300])
def test_a_timer_of_a_century_or_of_no_end_waits_and_harms_no_other(
    system: System, eventually: Eventually, seconds: float
) -> None:
    ref = system.spawn(Clock)
    distant = [ref.ask(Clock.after, seconds), ref.ask(Clock.every, seconds)]
    near = ref.ask(Clock.after, 0.01)
    eventually(lambda: not near.active)
    eventually(lambda: ref.ask(Clock.read) == 1)
    ref.ask(Clock.after, 0.01)
    eventually(lambda: ref.ask(Clock.read) == 2)
    assert all(timer.active for timer in distant)


@pytest.mark.parametrize("seconds", [math.inf, 1e12, 1e300])
def test_an_ask_may_wait_for_ever(system: System, seconds: float) -> None:
    ref = system.spawn(Clock)
    assert ref.within(seconds).ask(Clock.read) == 0
    future = ref.within(seconds).call(Clock.never_answer)
    future.on_done(lambda _: None)
    with pytest.raises(AskTimeout):
        future.get(timeout=0.01)
    threading.Timer(0.05, ref.stop).start()
    assert ref.join(seconds)


def test_a_child_may_have_an_age_to_start_and_to_stop(system: System) -> None:
    spec = ChildSpec("a", Clock, shutdown=1e12, start_timeout=math.inf)
    sup = system.spawn(Supervisor, "one_for_one", [spec], start_timeout=1e12)
    assert system.stop(sup, timeout=math.inf)


@pytest.mark.parametrize("seconds", [math.nan, "5", None])
def test_a_time_that_is_none_is_refused_to_whoever_gives_it(system: System, seconds: float) -> None:
    class Muddled(Clock):
        def on_start(self) -> None:
            for give in (self.send_after, self.send_interval):
                with pytest.raises((ValueError, TypeError), match="seconds"):
                    give(seconds, self.tick)

    ref = system.spawn(Muddled)
    if seconds is not None:
        with pytest.raises((ValueError, TypeError), match="seconds"):
            ref.within(seconds)
        with pytest.raises((ValueError, TypeError), match="seconds"):
            system.handle(Clock, "x").within(seconds)


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_timer_that_raises_ends_no_other_timer(
    system: System, eventually: Eventually, error: type[BaseException]
) -> None:
    def fail(*_: object) -> None:
        raise error

    ref = system.spawn(Clock)
    system.timers.after(0.0, fail)
    ref.within(0.01).call(Clock.never_answer).on_done(fail)
    eventually(lambda: system.events.counts["warning"] == 2)
    ref.ask(Clock.after, 0.01)
    eventually(lambda: ref.ask(Clock.read) == 1)


def test_a_timer_set_at_the_very_end_is_none(seeds: Sequence[int]) -> None:
    class Late(Clock):
        def on_stop(self, reason: ExitReason) -> None:
            self.send_after(0, self.tick)
            self.send_interval(0.001, self.tick)

    def scenario(sim: Simulation) -> None:
        ref = sim.system.spawn(Late)
        ref.stop()
        sim.until(lambda: not ref.alive)
        sim.sleep(1.0)
        timer = sim.system.timers.after(1.0, lambda: None)
        sim.sleep(2.0)
        assert not timer.active
        assert len(sim.system.timers) == 0

    explore(scenario, seeds, lines=True)


def test_a_timer_that_has_fired_is_not_kept(seeds: Sequence[int]) -> None:
    def scenario(sim: Simulation) -> None:
        ref = sim.system.spawn(Clock)
        for _ in range(3):
            ref.ask(Clock.after, 0)
        sim.until(lambda: ref.ask(Clock.read) == 3)
        assert sim.system.inspect(ref).statistics()["timers"] == 0

    explore(scenario, seeds, lines=True)


class Meagre(RealRuntime):
    """A machine that has no thread to spare, now and then."""

    refuses: str | None = None

    def start_thread(self, target: Callable[[], None], name: str) -> None:  # type: ignore[override]
        if self.refuses is not None and name.endswith(self.refuses):
            raise RuntimeError("can't start new thread")
        RealRuntime.start_thread(target, name)


def test_a_timer_thread_that_cannot_start_is_said_and_started_with_the_next(
    eventually: Eventually,
) -> None:
    runtime = Meagre()
    system = System("test", runtime=runtime)
    ref = system.spawn(Clock)
    runtime.refuses = ":timers"
    with pytest.raises(RuntimeError, match="new thread"):
        system.timers.after(0.0, lambda: None)
    assert len(system.timers) == 0
    runtime.refuses = None
    ref.ask(Clock.after, 0.0)
    eventually(lambda: ref.ask(Clock.read) == 1)
    system.shutdown()
