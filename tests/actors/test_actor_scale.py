"""Many children: what is done to each costs no more when there are more of them.

What is counted are the lines of Python that run, in all threads: the machine's load does not change
them.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from itertools import count
from types import FrameType
from typing import Any

import pytest

from actors import Actor, ChildSpec, DynamicSupervisor, Supervisor, System
from actors.effects import Child
from actors.supervisor import SupervisorBase


class Idle(Actor):
    pass


def lines_of(work: Callable[[], None]) -> int:
    """How many lines run meanwhile, in this thread and in those that it starts."""
    lines = count()

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        next(lines)
        return trace

    before = sys.gettrace(), threading.gettrace()
    threading.settrace(trace)
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before[0])
        threading.settrace(before[1])  # type: ignore[arg-type]
    return next(lines)


def cost(children: int, dynamic: bool) -> float:
    """Lines a child to start and stop so many of them."""
    system = System("scale")
    specs = [ChildSpec(f"c{number}", Idle, restart="temporary") for number in range(children)]

    def life() -> None:
        if dynamic:
            pool = system.spawn(DynamicSupervisor)
            for spec in specs:
                pool.ask(DynamicSupervisor.start_child, spec)
            assert pool.ask(DynamicSupervisor.count_children)["active"] == children
        else:
            system.spawn(Supervisor, "one_for_one", specs)
        assert system.shutdown(timeout=1e6) == []

    return lines_of(life) / children


def growth(dynamic: bool) -> float:
    """How many times as much each child costs when there are eight times as many."""
    return cost(800, dynamic) / cost(100, dynamic)


@pytest.mark.slow
@pytest.mark.parametrize("dynamic", [False, True])
def test_scale_start_stop_many_children_and_many_temporary_children(dynamic: bool) -> None:
    """scale_start_stop_many_children, simple_one_for_one_scale_many_temporary_children: linear."""
    assert growth(dynamic) < 1.1


@pytest.mark.slow
@pytest.mark.parametrize("dynamic", [False, True])
def test_one_look_at_all_children_for_each_child_would_be_seen(
    monkeypatch: pytest.MonkeyPatch, dynamic: bool
) -> None:
    name_of = SupervisorBase._name

    def slow(self: SupervisorBase, child: Child) -> str:
        assert all(node.name for node in self._cell.children.values())
        return name_of(self, child)

    monkeypatch.setattr(SupervisorBase, "_name", slow)
    assert growth(dynamic) > 2


@pytest.mark.slow
def test_a_thousand_restarts_leave_nothing_behind() -> None:
    import gc

    class Fragile(Actor):
        def crash(self) -> None:
            raise ValueError("crash")

    system = System("leak")
    system.spawn(Supervisor, "one_for_one", [ChildSpec("a", Fragile)], intensity=10**9)

    def crash(times: int) -> int:
        for _ in range(times):
            ref = system.whereis("a")
            while ref is None:
                ref = system.whereis("a")
            ref.tell(Fragile.crash)
            assert ref.join(5)
        gc.collect()
        return len(gc.get_objects())

    before = crash(50)
    assert crash(1000) < before + 200
    system.shutdown()
