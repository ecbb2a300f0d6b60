"""Plain pykka on the deterministic system: only its threads and locks are replaced."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pykka
import pykka._actor
import pykka._threading

from actors.testing import SimLock, Simulation


class Condition:
    """As threading.Condition, over a simulated lock."""

    def __init__(self, sim: Simulation, lock: SimLock | None = None) -> None:
        self._sim = sim
        self._lock = lock or sim.lock()
        self._waiters: list[SimLock] = []
        self.__enter__, self.__exit__ = self._lock.__enter__, self._lock.__exit__

    def __enter__(self) -> bool:
        return self._lock.__enter__()

    def __exit__(self, *exc_info: Any) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        waiter = self._sim.lock()
        waiter.acquire()
        self._waiters.append(waiter)
        self._lock.release()
        try:
            return waiter.acquire(True, -1 if timeout is None else timeout)
        finally:
            self._lock.acquire()

    def notify(self) -> None:
        if self._waiters:
            self._waiters.pop(0).release()

    def notify_all(self) -> None:
        while self._waiters:
            self.notify()


class Event:
    """As threading.Event, for `set` and `is_set`."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._flag = False

    def is_set(self) -> bool:
        self._sim.yield_point()
        return self._flag

    def set(self) -> None:
        self._flag = True
        self._sim.yield_point()


def make_queue(sim: Simulation) -> queue.Queue[Any]:
    made: queue.Queue[Any] = queue.Queue()
    lock = sim.lock()
    made.mutex = lock  # type: ignore[assignment]
    made.not_empty = Condition(sim, lock)  # type: ignore[assignment]
    made.not_full = Condition(sim, lock)  # type: ignore[assignment]
    made.all_tasks_done = Condition(sim, lock)  # type: ignore[assignment]
    return made


class Thread:
    def __init__(self, sim: Simulation, target: Any, name: str) -> None:
        self._sim, self._target, self._name = sim, target, name

    def start(self) -> None:
        self._sim.start_thread(self._target, self._name)


@contextmanager
def pykka_in(sim: Simulation) -> Iterator[None]:
    """While it lasts, pykka's actors live in the simulation."""
    actor, threads = pykka._actor, pykka._threading
    before = actor.threading, threads.threading, threads.queue
    known = pykka.ActorRegistry.get_all()
    actor.threading = SimpleNamespace(Event=lambda: Event(sim))  # type: ignore[assignment]
    threads.threading = SimpleNamespace(  # type: ignore[assignment]
        Condition=lambda: Condition(sim),
        Thread=lambda target, name: Thread(sim, target, name),
    )
    threads.queue = SimpleNamespace(Queue=lambda: make_queue(sim), Full=queue.Full)  # type: ignore[assignment]
    try:
        yield
    finally:
        actor.threading, threads.threading, threads.queue = before
        for ref in pykka.ActorRegistry.get_all():
            if ref not in known:  # a run that was cut short has left it, and it can end no more
                pykka.ActorRegistry.unregister(ref)
