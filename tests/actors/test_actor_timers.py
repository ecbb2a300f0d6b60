"""Timers: on the system's clock, bound to the incarnation, and nothing ticks at rest."""

from __future__ import annotations

import pytest

from actors import Actor, System, Timer
from actors.testing import Simulation


class Clock(Actor):
    def __init__(self) -> None:
        self.ticks: list[float] = []
        self.timer: Timer | None = None

    def after(self, seconds: float) -> None:
        self.timer = self.send_after(seconds, self.tick)

    def every(self, seconds: float) -> None:
        self.timer = self.send_interval(seconds, self.tick)

    def tick(self) -> None:
        self.ticks.append(self.system.runtime.monotonic())

    def cancel(self) -> bool:
        assert self.timer is not None
        return self.timer.cancel()

    def read(self) -> list[float]:
        return list(self.ticks)

    def crash(self) -> None:
        raise ValueError("crash")


def test_send_after_sends_once_at_its_time() -> None:
    with Simulation() as sim:
        ref = sim.system.spawn(Clock)
        ref.ask(Clock.after, 3.0)
        sim.sleep(10)
        assert ref.ask(Clock.read) == [3.0]


def test_send_interval_keeps_its_beat() -> None:
    with Simulation() as sim:
        ref = sim.system.spawn(Clock)
        ref.ask(Clock.every, 2.0)
        sim.sleep(9)
        assert ref.ask(Clock.read) == [2.0, 4.0, 6.0, 8.0]


def test_a_cancelled_timer_does_not_send() -> None:
    with Simulation() as sim:
        ref = sim.system.spawn(Clock)
        ref.ask(Clock.after, 3.0)
        assert ref.ask(Clock.cancel) is True
        sim.sleep(10)
        assert ref.ask(Clock.read) == []
        assert ref.ask(Clock.cancel) is False


def test_cancelling_an_interval_ends_it() -> None:
    with Simulation() as sim:
        ref = sim.system.spawn(Clock)
        ref.ask(Clock.every, 2.0)
        sim.sleep(5)
        ref.ask(Clock.cancel)
        sim.sleep(5)
        assert ref.ask(Clock.read) == [2.0, 4.0]


def test_timers_of_a_dead_incarnation_never_fire() -> None:
    with Simulation() as sim:
        old = sim.system.spawn(Clock, name="clock")
        old.ask(Clock.every, 2.0)
        old.tell(Clock.crash)
        assert old.join(5)
        new = sim.system.spawn(Clock, name="clock")
        sim.sleep(10)
        assert new.ask(Clock.read) == []
        assert sim.system.dead_letters == {}


def test_an_earlier_timer_wakes_the_sleeping_thread() -> None:
    with Simulation() as sim:
        fired: list[str] = []
        sim.system.timers.after(100, lambda: fired.append("late"))
        sim.sleep(1)
        sim.system.timers.after(1, lambda: fired.append("early"))
        sim.sleep(2)
        assert fired == ["early"]


@pytest.mark.parametrize("seed", range(20))
def test_timers_fire_in_the_order_of_their_times_under_every_schedule(seed: int) -> None:
    with Simulation(seed) as sim:
        fired: list[int] = []
        for number in (5, 1, 4, 2, 3):
            sim.system.timers.after(number, lambda number=number: fired.append(number))
        sim.sleep(10)
        assert fired == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("seed", range(50))
def test_no_timer_is_lost_when_time_passes_at_any_moment(seed: int) -> None:
    with Simulation(seed, time_pressure=0.05, lines=True) as sim:
        fired: list[int] = []
        for number in (5, 1, 4, 2, 3):
            sim.system.timers.after(number, lambda number=number: fired.append(number))
        sim.until(lambda: len(fired) == 5, within=100)
        assert sorted(fired) == [1, 2, 3, 4, 5]


def test_with_real_threads_too(system: System) -> None:
    ref = system.spawn(Clock)
    begun = system.runtime.monotonic()
    ref.ask(Clock.after, 0.02)
    while not ref.ask(Clock.read):
        pass
    assert ref.ask(Clock.read)[0] - begun >= 0.02


def test_no_thread_is_started_before_the_first_timer(system: System) -> None:
    import threading

    system.spawn(Clock)
    assert not [thread for thread in threading.enumerate() if thread.name == "test:timers"]


def test_an_interval_of_nothing_is_refused(system: System) -> None:
    with pytest.raises(ValueError, match="longer than nothing"):
        system.timers.every(0, lambda: None)
