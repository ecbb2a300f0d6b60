"""A killed incarnation acts no more: its next call into the package ends its thread."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest

from actors import Actor, System
from actors.process import Process, start_time_of

Eventually = Callable[[Callable[[], object]], None]


def _sleep() -> None:
    signal.pause()


class Undead(Actor):
    def __init__(self, gate: threading.Event) -> None:
        self.gate = gate
        self.entered = threading.Event()

    def hold(self, then: Callable[[Undead], object], reached: list[str]) -> None:
        self.entered.set()
        self.gate.wait(5)
        then(self)
        reached.append("the end")


def spares(name: str) -> list[Callable[[Undead], object]]:
    """What would touch the actor of this name."""
    return [
        lambda me: me.system.handle(Undead, name).call(Actor.on_idle),
        lambda me: me.system.handle(Undead, name).stop(),
        lambda me: me.system.handle(Undead, "nobody").tell(Actor.on_idle),
        lambda me: me.system.handle(Undead, name).join(),
        lambda me: me.system.kill(me.system.handle(Undead, name)),
        lambda me: me.system.stop(me.system.handle(Undead, name)),
        lambda me: me.system.inject(name, ValueError("injected")),
        lambda me: me.system.inspect(me.system.handle(Undead, name)).suspend(),
        lambda me: me.system.shutdown(),
    ]


@pytest.mark.parametrize("which", range(9))
def test_a_killed_incarnation_leaves_its_successor_alone(
    system: System, eventually: Eventually, which: int
) -> None:
    gate, reached = threading.Event(), list[str]()
    first = system.spawn(Undead, gate, name="a")
    undead = first.cell().actor
    assert isinstance(undead, Undead)
    first.tell(Undead.hold, spares("a")[which], reached)
    assert undead.entered.wait(5)
    system.kill(first)
    second = system.spawn(Undead, gate, name="a")
    gate.set()
    eventually(lambda: system.zombies == [])
    assert reached == []
    assert second.ask(Actor.on_idle) is None
    assert system.inspect(second).statistics()["state"] in {"idle", "busy"}
    assert system.dead_letters == {}


@pytest.mark.parametrize("when", ["before", "meanwhile", "watched"])
def test_a_process_that_a_killed_incarnation_starts_is_ended(
    system: System, eventually: Eventually, when: str
) -> None:
    gate, reached = threading.Event(), list[str]()
    started: list[Process] = []
    begin = system.processes._begin

    def kill_meanwhile(process: Process) -> None:
        started.append(process)
        if when == "meanwhile":
            system.kill(ref)
        begin(process)

    system.processes._begin = kill_meanwhile  # type: ignore[method-assign]

    def start(me: Undead) -> None:
        process = me.system.processes.start(_sleep)
        if when == "watched":
            me.system.kill(me.ref)
        me.watch(process, own=True)

    ref = system.spawn(Undead, gate)
    undead = ref.cell().actor
    assert isinstance(undead, Undead)
    ref.tell(Undead.hold, start, reached)
    assert undead.entered.wait(5)
    if when == "before":
        system.kill(ref)
    gate.set()
    eventually(lambda: ref.cell().thread_ended)
    assert reached == []
    assert len(started) == (when != "before")
    for process in started:
        assert process.wait(5) is not None


def test_a_killed_incarnation_adopts_no_process(system: System, eventually: Eventually) -> None:
    gate, reached = threading.Event(), list[str]()
    process = system.processes.start(_sleep)
    ref = system.spawn(Undead, gate)
    undead = ref.cell().actor
    assert isinstance(undead, Undead)
    own = start_time_of(os.getpid()) or 0
    ref.tell(Undead.hold, lambda me: me.system.processes.adopt(os.getpid(), own), reached)
    assert undead.entered.wait(5)
    system.kill(ref)
    gate.set()
    eventually(lambda: ref.cell().thread_ended)
    assert reached == []
    process.kill()
    assert process.wait(5) is not None
