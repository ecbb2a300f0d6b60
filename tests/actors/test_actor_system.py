"""The system as a whole: kill, zombies, shutdown, events."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from actors import Actor, ChildSpec, ExitReason, StartError, Supervisor, System, SystemEvent
from actors.testing import Simulation

Eventually = Callable[[Callable[[], object]], None]


class Stuck(Actor):
    def __init__(self, gate: threading.Event, log: list[str]) -> None:
        self.gate = gate
        self.log = log

    def hold(self) -> None:
        self.gate.wait(5)
        self.log.append("awake")
        self.system.handle(Witness, "witness").tell(Witness.hear, "from the dead")
        self.log.append("told")

    def on_stop(self, reason: ExitReason) -> None:
        self.log.append("on_stop")


class Witness(Actor):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def hear(self, text: str) -> None:
        self.heard.append(text)

    def read(self) -> list[str]:
        return self.heard


def test_a_killed_actor_is_fenced_and_its_thread_ends_at_its_next_call(
    system: System, eventually: Eventually
) -> None:
    witness = system.spawn(Witness, name="witness")
    gate, log = threading.Event(), ["begin"]
    ref = system.spawn(Stuck, gate, log, name="stuck")
    ref.tell(Stuck.hold)
    eventually(lambda: system.inspect(ref).statistics()["handled"] == 1)
    system.kill(ref)
    assert ref.reason == ExitReason("killed")
    assert system.whereis("stuck") is None
    assert system.zombies == ["stuck"]
    gate.set()
    eventually(lambda: system.zombies == [])
    assert log == ["begin", "awake"]
    assert witness.ask(Witness.read) == []


def test_an_idle_actor_that_is_killed_leaves_no_zombie(
    system: System, eventually: Eventually
) -> None:
    ref = system.spawn(Witness)
    eventually(lambda: ref.cell().mailbox.waiting)
    system.kill(ref)
    assert system.events.counts["zombie"] == 0


def test_shutdown_stops_the_last_started_root_first() -> None:
    system = System("test")
    order: list[str] = []

    class Root(Actor):
        def on_stop(self, reason: ExitReason) -> None:
            order.append(self.name)

    for name in "abc":
        system.spawn(Root, name=name)
    assert system.shutdown() == []
    assert order == ["c", "b", "a"]
    assert system.tree() == []


def test_shutdown_is_bounded_in_time_and_names_who_is_stuck() -> None:
    class Busy(Actor):
        def hold(self) -> None:
            sim.sleep(1000)

    with Simulation(seed=1) as sim:
        children = [ChildSpec("stuck", Busy, shutdown=60.0)]
        sim.system.spawn(Supervisor, "one_for_one", children, name="root")
        sim.system.handle(Busy, "stuck").tell(Busy.hold)
        sim.quiet()
        assert "stuck" in sim.system.shutdown(timeout=0.1)
        assert sim.now <= 0.1


@pytest.mark.slow
def test_one_stuck_root_leaves_the_others_the_time_to_stop(eventually: Eventually) -> None:
    gate = threading.Event()
    stopped: list[str] = []

    class Orderly(Actor):
        def on_stop(self, reason: ExitReason) -> None:
            time.sleep(0.01)
            stopped.append(self.name)

    system = System("test")
    system.spawn(Orderly, name="a")
    system.spawn(Stuck, gate, [], name="stuck").tell(Stuck.hold)
    system.spawn(Orderly, name="b")
    eventually(lambda: system.inspect(system.handle(Stuck, "stuck")).statistics()["handled"])
    assert system.shutdown(timeout=4.0) == ["stuck"]
    assert stopped == ["b", "a"]
    gate.set()


def test_nothing_is_started_after_a_shutdown() -> None:
    system = System("test")
    system.shutdown()
    with pytest.raises(StartError, match="shuts down"):
        system.spawn(Witness)


def test_all_threads_end_with_the_system() -> None:
    system = System("gone")
    ref = system.spawn(Witness, name="gone:witness")
    system.timers.after(100, lambda: None)
    ref.ask(Witness.read)
    system.shutdown()
    deadline = time.monotonic() + 60
    while [thread for thread in threading.enumerate() if thread.name.startswith("gone")]:
        assert time.monotonic() < deadline


STUCK = """
import time
from actors import Actor, System

class Sleeper(Actor):
    def sleep(self):
        time.sleep(60)

system = System("stuck")
ref = system.spawn(Sleeper, name="sleeper")
ref.tell(Sleeper.sleep)
while system.inspect(ref).statistics()["handled"] == 0:
    pass
print(system.shutdown(timeout=0.1))
"""


def test_a_process_ends_even_with_a_stuck_thread() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK], check=True, capture_output=True, text=True, timeout=10
    )
    assert done.stdout == "['sleeper']\n"


def test_events_tell_a_crash_with_its_traceback_and_the_restart(
    system: System, eventually: Eventually
) -> None:
    events: list[SystemEvent] = []
    system.on_event(events.append)

    class Fragile(Actor):
        def crash(self) -> None:
            raise ValueError("broken")

    system.spawn(Supervisor, "one_for_one", [ChildSpec("a", Fragile)], name="root")
    system.handle(Fragile, "a").tell(Fragile.crash)
    eventually(lambda: any(event.kind == "restarted" for event in events))
    crashed = next(event for event in events if event.kind == "crashed")
    assert crashed.name == "a"
    assert crashed.error == "error: ValueError: broken"
    assert "in crash" in crashed.traceback
    assert [event.kind for event in events] == [
        *("started", "started", "crashed", "started", "restarted")
    ]


def test_a_listener_that_raises_is_counted_and_hurts_nobody(system: System) -> None:
    system.on_event(lambda event: 1 / 0)
    ref = system.spawn(Witness)
    assert ref.ask(Witness.read) == []
    assert system.events.counts["listener_failed"] == 1


def test_two_systems_know_nothing_of_each_other(system: System) -> None:
    other = System("other")
    system.spawn(Witness, name="same")
    other.spawn(Witness, name="same")
    assert system.whereis("same") != other.whereis("same")
    other.shutdown()
