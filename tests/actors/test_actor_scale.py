"""Many children: what is done to each costs no more when there are more of them."""

from __future__ import annotations

import time

import pytest

from actors import Actor, ChildSpec, DynamicSupervisor, Supervisor, System


class Idle(Actor):
    pass


def cost(count: int, dynamic: bool) -> float:
    """Seconds a child to start and stop `count` of them."""
    system = System("scale")
    specs = [ChildSpec(f"c{number}", Idle, restart="temporary") for number in range(count)]
    begun = time.perf_counter()
    if dynamic:
        pool = system.spawn(DynamicSupervisor)
        for spec in specs:
            pool.ask(DynamicSupervisor.start_child, spec)
        assert pool.ask(DynamicSupervisor.count_children)["active"] == count
    else:
        system.spawn(Supervisor, "one_for_one", specs)
    assert system.shutdown(timeout=60) == []
    return (time.perf_counter() - begun) / count


@pytest.mark.slow
@pytest.mark.parametrize("dynamic", [False, True])
def test_scale_start_stop_many_children_and_many_temporary_children(dynamic: bool) -> None:
    """scale_start_stop_many_children, simple_one_for_one_scale_many_temporary_children: linear."""
    few = min(cost(500, dynamic) for _ in range(3))
    many = min(cost(4000, dynamic) for _ in range(2))
    assert many < 4 * few  # quadratic would be eight times; the benchmark has the sharp bar


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
