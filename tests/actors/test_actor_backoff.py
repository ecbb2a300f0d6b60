"""Backoff: opt-in delays before restarts, which a terminate and a shutdown cancel."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from stage import Player, Stage

from actors import Backoff, Supervisor
from actors.testing import Simulation


def stage_in(sim: Simulation) -> Stage:
    return Stage(SimpleNamespace(system=sim.system, until=sim.until))


BACKOFF = Backoff(min=1.0, max=8.0, jitter=0.0)


def test_delays_double_up_to_the_maximum() -> None:
    assert [BACKOFF.delay(failures, "a") for failures in range(6)] == [1, 2, 4, 8, 8, 8]


def test_jitter_adds_up_to_its_fraction_and_differs_between_children() -> None:
    backoff = Backoff(min=1.0, max=1.0, jitter=0.5)
    delays = {backoff.delay(0, name) for name in "abcdefgh"}
    assert len(delays) == 8
    assert all(1.0 <= delay <= 1.5 for delay in delays)


def test_a_child_waits_longer_after_each_failed_life() -> None:
    with Simulation() as sim:
        stage = stage_in(sim)
        stage.supervisor(stage.child("a", backoff=BACKOFF), intensity=100)
        times = []
        for _ in range(5):
            stage.end("a")
            assert stage.children() == {"a": "restarting"}
            died = sim.now
            sim.until(lambda: stage.incarnation("a") is not None)
            times.append(sim.now - died)
        assert times == [1, 2, 4, 8, 8]


def test_a_long_life_resets_the_delay() -> None:
    with Simulation() as sim:
        stage = stage_in(sim)
        stage.supervisor(stage.child("a", backoff=BACKOFF), intensity=100)
        stage.end("a")
        sim.until(lambda: stage.incarnation("a") is not None)
        sim.sleep(4.5)  # (min + max) / 2
        died = sim.now
        stage.end("a")
        sim.until(lambda: stage.incarnation("a") is not None)
        assert sim.now - died == 1


def test_terminate_cancels_the_pending_restart() -> None:
    with Simulation() as sim:
        stage = stage_in(sim)
        sup = stage.supervisor(stage.child("a", backoff=BACKOFF))
        stage.end("a")
        sup.ask(Supervisor.terminate_child, "a")
        sim.sleep(20)
        assert stage.children() == {"a": "down"}
        assert stage.log == ["start a", "stop a"]


def test_shutdown_does_not_wait_for_the_delay() -> None:
    with Simulation() as sim:
        stage = stage_in(sim)
        stage.supervisor(stage.child("a", backoff=BACKOFF))
        stage.end("a")
        assert sim.system.shutdown() == []
        assert sim.now == 0


def test_failed_attempts_wait_too_and_still_count() -> None:
    with Simulation() as sim:
        stage = stage_in(sim)
        sup = stage.supervisor(stage.child("a", Player, backoff=BACKOFF), intensity=2, period=60.0)
        stage.script["a"] = ["fail"] * 10
        stage.end("a")
        sim.until(lambda: not sup.alive)
        assert sim.now == 1 + 2 + 4
        assert stage.gave_up(sup)


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_the_crash_of_a_sibling_does_not_shorten_the_wait(strategy: str) -> None:
    with Simulation() as sim:
        stage = stage_in(sim)
        slow = Backoff(min=8.0, max=8.0, jitter=0.0)
        stage.supervisor(
            stage.child("a"), stage.child("b", backoff=slow), strategy=strategy, intensity=100
        )
        stage.end("b")
        sim.sleep(1.0)
        stage.end("a")
        sim.sleep(6.5)
        assert stage.children() == {"a": "restarting", "b": "restarting"}
        sim.until(lambda: stage.children() == {"a": "up", "b": "up"})
        assert sim.now == 8.0
        assert stage.log.count("start b") == 2
        stage.end("a")
        assert stage.children() == {"a": "up", "b": "up"}


def test_a_sibling_that_waits_with_it_starts_although_the_other_is_terminated() -> None:
    with Simulation() as sim:
        stage = stage_in(sim)
        slow = Backoff(min=8.0, max=8.0, jitter=0.0)
        sup = stage.supervisor(
            stage.child("a"), stage.child("b", backoff=slow), strategy="one_for_all", intensity=100
        )
        stage.end("b")
        stage.end("a")
        sup.ask(Supervisor.terminate_child, "b")
        sim.until(lambda: stage.children()["a"] == "up")
        assert sim.now == 8.0
