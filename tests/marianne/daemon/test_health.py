"""The regular looks at the diversity of what is learned; liveness asks nobody."""

from __future__ import annotations

import os
import resource
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from judgement_stage import Stage

from actors import Actor, Handle
from actors.testing import Simulation
from marianne.daemon.health import CHECK_EVERY
from marianne.daemon.monitor import ResourceSnapshot
from marianne.daemon.services.health import HealthActor

HOUR = 3600.0


def checker(sim: Simulation, place: Path) -> tuple[Stage, Handle[HealthActor]]:
    stage = Stage(sim, place)
    stage.ears("learning")
    sim.system.spawn(HealthActor, stage.context, name="health")
    return stage, stage.context.health


def checks(stage: Stage) -> int:
    stage.sim.quiet()
    return len(stage.heard("learning", "check_diversity"))


def test_every_tenth_job_that_ends_has_the_diversity_checked(tmp_path: Path) -> None:
    with Simulation() as sim:
        stage, health = checker(sim, tmp_path)
        for _ in range(CHECK_EVERY - 1):
            health.ask(HealthActor.on_job_completed)
        assert checks(stage) == 0
        health.ask(HealthActor.on_job_completed)
        assert checks(stage) == 1
        for _ in range(2 * CHECK_EVERY):
            health.ask(HealthActor.on_job_completed)
        assert checks(stage) == 3


def test_it_is_checked_at_the_interval_until_that_is_stopped(tmp_path: Path) -> None:
    with Simulation() as sim:
        stage, health = checker(sim, tmp_path)
        sim.sleep(3 * HOUR + 1)
        assert checks(stage) == 3
        health.ask(HealthActor.stop_periodic_checks)
        sim.sleep(3 * HOUR)
        assert checks(stage) == 3
        health.ask(HealthActor.start_periodic_checks)
        health.ask(HealthActor.start_periodic_checks)
        sim.sleep(HOUR + 1)
        assert checks(stage) == 4, "started twice it checks once"
        health.ask(HealthActor.due)  # it was due as another interval began
        sim.sleep(3 * HOUR)
        assert checks(stage) == 8, "an interval more than was started"


def test_liveness_reads_nothing_and_asks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reading(*_: object, **__: object) -> None:
        raise AssertionError("liveness reads a file")

    with Simulation() as sim:
        stage, health = checker(sim, tmp_path)
        monkeypatch.setattr("builtins.open", reading)
        monkeypatch.setattr("os.open", reading)
        alive = health.ask(HealthActor.liveness)
        assert set(alive) >= {"status", "pid", "uptime_seconds", "shutting_down"}
        assert alive["status"] == "ok"
        sim.quiet()
        assert stage.told == []


class Answers(Actor):
    """In the place of the monitor and of the manager: all is well."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._resources = stage.context.resources

    def check_now(self) -> None:
        self._resources.snapshot = ResourceSnapshot(time.monotonic(), 1.0, 1, 0, 0)

    def counts(self) -> dict[str, int]:
        return {"running_jobs": 2}


def test_jobs_that_fail_unexpectedly_make_it_take_no_work(tmp_path: Path) -> None:
    with Simulation() as sim:
        stage, health = checker(sim, tmp_path)
        for name in ("monitor", "manager"):
            sim.system.spawn(Answers, stage, name=name)
        failures = stage.context.failures
        for _ in range(3):
            failures.note(time.monotonic())
        told = health.ask(HealthActor.readiness)
        assert (told["status"], told["accepting_work"]) == ("ready", True)
        failures.note(time.monotonic())
        told = health.ask(HealthActor.readiness)
        assert (told["status"], told["accepting_work"]) == ("not_ready", False)
        assert told["failure_rate_elevated"]


def test_with_few_descriptors_left_it_is_not_ready(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Simulation() as sim, ExitStack() as stack:
        stage, health = checker(sim, tmp_path)
        for name in ("monitor", "manager"):
            sim.system.spawn(Answers, stage, name=name)
        for _ in range(60):
            stack.enter_context(open(os.devnull))
        ready = health.ask(HealthActor.readiness)
        assert ready["status"] == "ready"
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for limit in (ready["descriptors"] + 1, ready["descriptors"] - 20):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            assert health.ask(HealthActor.readiness)["status"] == "not_ready"
