"""Actors, timers, monitors and processes that come and go leave nothing behind.

`ACTORS_CHURN=60 pytest tests/actors/test_actor_churn.py` lets them come and go for a minute.
"""

from __future__ import annotations

import gc
import os
import threading
import time
import tracemalloc
from collections.abc import Callable

import pytest

from actors import Actor, ChildSpec, DynamicSupervisor, Supervisor, System

Eventually = Callable[[Callable[[], object]], None]


class Guest(Actor):
    def stay(self, other: Actor | None = None) -> str:
        self.monitor(self.ref)
        self.monitor(self.system.handle(Actor, "nobody"))
        self.send_after(0.0, self.on_idle)
        self.send_after(60.0, self.on_idle)
        self.send_interval(60.0, self.on_idle)
        self.register(f"{self.name} the guest")
        self.system.spawn(Actor).call(Actor.on_idle).on_done(lambda _: None)
        return "stayed"

    def crash(self) -> None:
        raise ValueError("told to crash")


def visit(system: System, number: int) -> None:
    """One actor's life, with all that it may leave behind."""
    ref = system.spawn(Guest)
    assert ref.ask(Guest.stay) == "stayed"
    if number % 3 == 0:
        system.kill(ref)
    elif number % 3 == 1:
        ref.tell(Guest.crash)
    else:
        ref.stop()
    assert ref.join(30)
    keeper = system.handle(DynamicSupervisor, "pool")
    child = keeper.ask(DynamicSupervisor.start_child, ChildSpec("guest", Guest, name=None))
    assert child is not None
    child.ask(Guest.stay)
    keeper.ask(DynamicSupervisor.terminate_child, child)


@pytest.fixture
def own_threads() -> Callable[[], int]:
    """Counts the threads that began in this test: others may have left some, which end when they
    will."""
    before = set(threading.enumerate())
    return lambda: len(set(threading.enumerate()) - before)


@pytest.mark.slow
def test_what_comes_and_goes_leaves_nothing_behind(
    system: System, eventually: Eventually, own_threads: Callable[[], int]
) -> None:
    pool = system.spawn(DynamicSupervisor, name="pool", start_timeout=None)
    for number in range(60):  # caches fill
        visit(system, number)
    eventually(lambda: own_threads() < 8)
    gc.collect()
    threads, descriptors = own_threads(), len(os.listdir("/proc/self/fd"))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(300):
        visit(system, number)
    eventually(lambda: own_threads() <= threads)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 200_000, f"{grown} bytes more after 300 lives"
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    assert system.registry.names() == ["pool"]
    assert [node["name"] for node in system.tree()] == ["pool"]
    assert system.tree()[0]["children"] == []
    assert len(system.timers) < 200
    assert not pool.cell().watching


def resident() -> int:
    """Bytes of memory that this process has now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def restart(system: System) -> None:
    """A crash below a supervisor, and the next incarnation's answer."""
    before = system.whereis("fragile")
    assert before is not None
    before.tell(Guest.crash)
    assert before.join(30)
    system.handle(Supervisor, "keeper").ask(Supervisor.which_children)
    assert system.handle(Guest, "fragile").ask(Guest.stay) == "stayed"


def run_process(system: System) -> None:
    process = system.processes.start(time.sleep, (60.0,))
    assert process.kill()
    assert process.wait(30) is not None


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_time_adds_no_memory_no_thread_and_no_descriptor(
    system: System, eventually: Eventually, own_threads: Callable[[], int]
) -> None:
    seconds = float(os.environ.get("ACTORS_CHURN", "1.5"))
    system.spawn(DynamicSupervisor, name="pool")
    children = [ChildSpec("fragile", Guest)]
    system.spawn(Supervisor, "one_for_one", children, intensity=10**9, name="keeper")

    def churn(end: float, least: int) -> None:
        number = 0
        while number < least or time.monotonic() < end:
            visit(system, number)
            restart(system)
            if number % 100 == 0:
                run_process(system)
            number += 1
        gc.collect()

    churn(time.monotonic() + seconds / 3, 60)  # caches fill, and the allocator's arenas
    eventually(lambda: own_threads() < 13)
    threads, descriptors = own_threads(), len(os.listdir("/proc/self/fd"))
    before = resident()
    churn(time.monotonic() + seconds * 2 / 3, 60)
    eventually(lambda: own_threads() <= threads)
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    assert resident() - before < 6_000_000
