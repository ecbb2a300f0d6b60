"""The monitor when readings fail, when a level changes, and with the dead."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from judgement_stage import Stage

from actors import Handle
from actors.testing import Simulation
from marianne.daemon import monitor as module
from marianne.daemon.at_once import at_once
from marianne.daemon.config.sections import ResourceLimitConfig
from marianne.daemon.monitor import ResourceMonitor
from marianne.daemon.processes.host import OwnProcess
from marianne.daemon.services.monitor import MonitorActor
from marianne.daemon.shared.usage import TreeLook, Usage

INTERVAL = 15.0


class Probe:
    """What the monitor sees: a tree, or nothing; and when it looked."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self.times: list[float] = []
        self.broken = False
        self.tree = TreeLook(Usage(100.0, 3))

    def __call__(self, roots: Any, workers: Any) -> TreeLook:
        self.times.append(self._sim.now)
        if self.broken:
            raise OSError("no /proc today")
        return self.tree


class Watched:
    def __init__(self, sim: Simulation, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stage = Stage(sim, place)
        self.stage.ears("scheduler", "manager", "store")
        self.probe = Probe(sim)
        monkeypatch.setattr(module, "look", self.probe)
        sim.system.spawn(MonitorActor, self.stage.context, name="monitor")
        self.monitor: Handle[MonitorActor] = self.stage.context.monitor
        self.resources = self.stage.context.resources


def test_five_failed_readings_are_degraded_and_the_looks_become_rarer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulation() as sim:
        it = Watched(sim, tmp_path, monkeypatch)
        assert it.resources.is_accepting_work()
        it.probe.broken = True
        sim.sleep(INTERVAL + 1)
        assert not it.resources.is_accepting_work(), "one blind look is enough to take no risks"
        assert it.resources.current_memory_mb() is None
        assert it.resources.seconds_since_last_check == float("inf")
        sim.sleep(3 * INTERVAL)
        assert not it.resources.is_degraded
        sim.sleep(INTERVAL)
        assert it.resources.is_degraded
        sim.sleep(1200)
        gaps = [b - a for a, b in zip(it.probe.times, it.probe.times[1:], strict=False)]
        assert gaps[:10] == [INTERVAL] * 6 + [30, 60, 120, 240]
        assert set(gaps[10:]) == {300}


def test_one_good_reading_ends_it_and_who_waited_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulation() as sim:
        it = Watched(sim, tmp_path, monkeypatch)
        it.probe.broken = True
        sim.sleep(7 * INTERVAL)
        assert it.resources.is_degraded
        it.probe.broken = False
        it.stage.told.clear()
        it.monitor.ask(MonitorActor.check)
        sim.quiet()
        assert not it.resources.is_degraded
        assert it.resources.is_accepting_work()
        assert it.stage.heard("scheduler", "dispatch")
        assert it.stage.heard("manager", "pressure_fell")
        looks = len(it.probe.times)
        sim.sleep(10 * INTERVAL + 1)
        assert len(it.probe.times) == looks + 10, "back at its interval"


def test_each_change_of_the_level_is_an_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulation() as sim:
        it = Watched(sim, tmp_path, monkeypatch)
        for memory in (600.0, 610.0, 750.0, 100.0):
            it.probe.tree = TreeLook(Usage(memory, 3))
            it.monitor.ask(MonitorActor.check_now)
        sim.quiet()
        events = [batch[0] for batch, *_ in it.stage.heard("store", "write")]
        assert [event.event for event in events] == ["monitor.pressure"] * 3
        assert [(e.data["before"], e.data["level"]) for e in events] == [
            ("none", "low"),
            ("low", "medium"),
            ("medium", "none"),
        ]
        assert "750 of 1000 MB" in events[1].data["reading"]
        assert len(it.stage.heard("scheduler", "dispatch")) == 1, "only a fall lets more begin"


def test_who_is_dead_at_two_looks_is_collected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals: list[tuple[int, int]] = []
    with Simulation() as sim:
        it = Watched(sim, tmp_path, monkeypatch)
        it.stage.context.host = OwnProcess()
        monkeypatch.setattr(os, "kill", lambda pid, number: signals.append((pid, number)))
        it.probe.tree = TreeLook(Usage(100.0, 3), zombies=[77])
        assert it.monitor.ask(MonitorActor.check_now).zombie_pids == [77]
        it.monitor.ask(MonitorActor.check)
        assert signals == [], "it may just have died"
        it.monitor.ask(MonitorActor.check)
        assert signals == [(os.getpid(), signal.SIGCHLD)]


def test_other_limits_are_judged_by_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulation() as sim:
        it = Watched(sim, tmp_path, monkeypatch)
        it.probe.tree = TreeLook(Usage(700.0, 3))
        it.monitor.ask(MonitorActor.update_limits, ResourceLimitConfig(max_memory_mb=800))
        assert not it.resources.is_accepting_work()
        assert it.resources.max_memory_mb == 800


def test_higher_limits_end_a_pressure_and_who_waited_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulation() as sim:
        it = Watched(sim, tmp_path, monkeypatch)
        it.probe.tree = TreeLook(Usage(990.0, 3))
        it.monitor.ask(MonitorActor.check_now)
        sim.quiet()
        it.stage.told.clear()
        it.monitor.ask(MonitorActor.update_limits, ResourceLimitConfig(max_memory_mb=4000))
        sim.quiet()
        assert it.resources.is_accepting_work()
        assert it.stage.heard("scheduler", "dispatch")
        assert it.stage.heard("manager", "pressure_fell")


def test_a_level_that_fell_by_somebody_elses_look_is_told_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that embeds the conductor may take a reading of its own, or set other limits."""
    with Simulation() as sim:
        it = Watched(sim, tmp_path, monkeypatch)
        it.probe.tree = TreeLook(Usage(990.0, 3))
        sim.sleep(INTERVAL + 1)
        assert not it.resources.is_accepting_work()
        it.stage.told.clear()
        it.probe.tree = TreeLook(Usage(10.0, 3))
        at_once(it.resources.check_now())
        assert it.resources.is_accepting_work()
        sim.sleep(INTERVAL)
        assert it.stage.heard("scheduler", "dispatch")
        assert it.stage.heard("manager", "pressure_fell")


def test_who_waits_for_memory_is_told_of_each_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulation() as sim:
        it = Watched(sim, tmp_path, monkeypatch)
        sim.sleep(3 * INTERVAL + 1)
        assert it.stage.heard("manager", "pressure_fell") == []
        it.resources.awaited = True
        sim.sleep(3 * INTERVAL)
        assert len(it.stage.heard("manager", "pressure_fell")) == 3


def test_what_jobs_used_is_kept_for_two_looks_after_their_end() -> None:
    from marianne.daemon.monitor import ResourceMonitor

    seen = ResourceMonitor(ResourceLimitConfig(max_memory_mb=1000, max_processes=100))
    seen.saw_jobs({"a": 100.0})
    seen.saw_jobs({"a": 50.0, "b": 5.0})
    assert seen.peak_by_job == {"a": 100.0, "b": 5.0}
    seen.saw_jobs({"b": 5.0})
    assert seen.peak_by_job["a"] == 100.0
    seen.saw_jobs({"b": 5.0})
    assert seen.peak_by_job == {"b": 5.0}


def test_a_reading_beside_a_thread_that_is_just_importing_asyncio(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "asyncio", ModuleType("asyncio"))  # nothing of it yet
    monkeypatch.setattr(module, "look", lambda roots, workers: TreeLook(Usage(100.0, 3)))
    monitor = module.ResourceMonitor(ResourceLimitConfig())
    assert at_once(monitor.check_now()).memory_usage_mb == 100.0


def test_a_monitor_alone_looks_at_the_interval_and_counts_the_jobs_of_the_manager_it_was_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    really_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await really_sleep(0)

    class Seven:
        running_count = 7

    async def life() -> int:
        monitor = ResourceMonitor(ResourceLimitConfig(), Seven())  # type: ignore[arg-type]
        await monitor.start(0.25)
        assert monitor.snapshot is not None
        while len(pauses) < 3:
            await really_sleep(0)
        await monitor.stop()
        return monitor.snapshot.running_jobs

    monkeypatch.setattr(module, "look", lambda *_: TreeLook(Usage(100.0, 3)))
    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert asyncio.run(life()) == 7
    assert set(pauses) == {0.25}
