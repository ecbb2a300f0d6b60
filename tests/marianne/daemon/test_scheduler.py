"""The scheduler grants what may run, when it may, and does nothing at rest."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from context_stage import context_in

from actors import Actor, Handle, System
from marianne import clock
from marianne.daemon.context import Context
from marianne.daemon.monitor import ResourceSnapshot
from marianne.daemon.services.scheduler import SchedulerActor, SheetInfo

LIMIT_MB = 1000


class Grants(Actor):
    """Stands for a job's actor and notes what it was granted, and when."""

    def __init__(self, told: list[tuple[str, list[int], float]], arrived: threading.Event) -> None:
        super().__init__()
        self._told, self._arrived = told, arrived

    def granted(self, nums: list[int], ahead: list[int], slots: int, ticket: object) -> None:
        self._told.append(("granted", nums, time.monotonic()))
        self._arrived.set()

    def limit_ended(self, nums: list[int]) -> None:
        self._told.append(("limit_ended", nums, time.monotonic()))
        self._arrived.set()


class Stage:
    """A scheduler, a job actor that listens, and a load that can be set."""

    def __init__(self, place: Path) -> None:
        self.system = System("stage")
        self.context = context_in(
            place, self.system, kind=Context, memory_mb=LIMIT_MB, processes=100
        )
        self.told: list[tuple[str, list[int], float]] = []
        self.arrived = threading.Event()
        self.load(0.0)
        self.system.spawn(Grants, self.told, self.arrived, name="job:j/job")
        self.ref = self.system.spawn(SchedulerActor, self.context, name="scheduler")
        self.scheduler: Handle[SchedulerActor] = self.context.scheduler

    def load(self, memory_mb: float) -> None:
        snapshot = ResourceSnapshot(time.monotonic(), memory_mb, 1, 0, 0)
        self.context.resources.snapshot = snapshot

    def register(self, sheets: int, instrument: str = "shell", **more: Any) -> None:
        infos = [SheetInfo("j", num, backend_type=instrument) for num in range(1, sheets + 1)]
        self.scheduler.ask(SchedulerActor.register_job, "j", infos, **more)
        self.settled()

    def settled(self) -> None:
        """All that was sent so far has been dealt with, and the grants of it were told."""
        self.scheduler.ask(SchedulerActor.get_stats)
        self.scheduler.ask(SchedulerActor.get_stats)

    def active(self) -> int:
        return self.scheduler.ask(SchedulerActor.get_stats).active

    def timers(self) -> int:
        """Timers that the scheduler has set: none may be at rest."""
        return int(self.system.inspect(self.ref).state()["_wake"] is not None)

    def next_told(self, seconds: float = 5.0) -> tuple[str, list[int], float]:
        assert self.arrived.wait(seconds), "nothing was told"
        self.arrived.clear()
        return self.told[-1]

    def all_told(self, number: int) -> list[tuple[str, list[int]]]:
        """What was told, once it is so much."""
        while len(self.told) < number:
            self.next_told()
        return [told[:2] for told in self.told]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    os.chmod(tmp_path, 0o700)
    stage = Stage(tmp_path)
    yield stage
    assert stage.system.shutdown(5.0) == []


def test_without_pressure_all_that_may_run_is_granted_in_one_message(stage: Stage) -> None:
    stage.register(3)
    assert stage.next_told()[:2] == ("granted", [1, 2, 3])


@pytest.mark.slow
def test_a_level_spaces_the_grants_and_the_first_waits_for_nothing(stage: Stage) -> None:
    stage.load(600.0)  # LOW: two seconds between two grants
    stage.register(2)
    first = stage.next_told()
    assert first[1] == [1]
    second = stage.next_told()
    assert second[1] == [2]
    assert 1.9 < second[2] - first[2] < 4.0


def test_a_level_that_falls_ends_its_delay(stage: Stage) -> None:
    stage.load(750.0)  # MEDIUM: ten seconds
    stage.register(3)
    assert stage.next_told()[1] == [1]
    stage.load(0.0)
    stage.scheduler.tell(SchedulerActor.dispatch)
    assert stage.next_told(2.0)[1] == [2, 3]


def test_critical_grants_nothing_until_the_monitor_tells_of_its_end(stage: Stage) -> None:
    stage.load(990.0)
    stage.register(2)
    assert stage.active() == 0
    assert stage.timers() == 0
    stage.load(0.0)
    stage.scheduler.tell(SchedulerActor.dispatch)
    assert stage.next_told(2.0)[1] == [1, 2]


def test_under_pressure_nothing_ticks_when_there_is_nothing_to_grant(stage: Stage) -> None:
    stage.load(600.0)
    stage.register(1)
    stage.next_told()
    stage.settled()
    assert stage.timers() == 0
    stage.scheduler.ask(SchedulerActor.release, "j", 1)
    stage.settled()
    assert stage.timers() == 0


def test_a_question_that_granted_nothing_delays_nothing(stage: Stage) -> None:
    stage.load(750.0)
    stage.register(1, waiting=[1])
    stage.scheduler.tell(SchedulerActor.dispatch)
    stage.settled()
    stage.scheduler.tell(SchedulerActor.requeue, SheetInfo("j", 1, backend_type="shell"))
    assert stage.next_told(2.0)[1] == [1]


def test_of_two_times_to_wake_the_earlier_one_counts(stage: Stage) -> None:
    stage.register(0)
    infos = [SheetInfo("j", 1, backend_type="soon"), SheetInfo("j", 2, backend_type="later")]
    now = time.time()
    stage.scheduler.ask(SchedulerActor.block, "soon", now + 0.3)
    stage.scheduler.ask(SchedulerActor.block, "later", now + 60.0)
    stage.scheduler.ask(SchedulerActor.register_job, "j", infos)
    stage.settled()
    stage.scheduler.ask(SchedulerActor.block, "later", now + 90.0)
    assert stage.next_told(5.0)[1] == [1]


def test_a_long_limit_is_looked_at_each_minute_for_a_timer_stands_still_while_the_machine_sleeps(
    stage: Stage,
) -> None:
    stage.scheduler.ask(SchedulerActor.block, "busy", time.time() + 3600.0)
    stage.register(1, "busy")
    wake_due = stage.system.inspect(stage.ref).state()["_wake_due"]
    assert wake_due - time.monotonic() <= 60.0


def test_a_limit_that_is_lifted_wakes_what_waits_for_it(stage: Stage) -> None:
    stage.scheduler.ask(SchedulerActor.block, "busy", time.time() + 60.0)
    stage.register(2, "busy", waiting=[1])
    stage.scheduler.ask(SchedulerActor.block, "busy", 0.0)
    assert stage.all_told(2) == [("limit_ended", [1]), ("granted", [2])]


def test_a_lift_reaches_a_sheet_whose_end_is_still_on_its_way(stage: Stage) -> None:
    """Its job knows that it waits, and the scheduler does not yet."""
    stage.register(1, "busy")
    stage.scheduler.ask(SchedulerActor.block, "busy", time.time() + 60.0)
    stage.scheduler.ask(SchedulerActor.lift, "busy")
    assert stage.all_told(2) == [("granted", [1]), ("limit_ended", [1])]


def test_what_waits_longer_than_its_limit_goes_on_with_a_lift_too(stage: Stage) -> None:
    infos = [SheetInfo("j", 1, backend_type="busy", model="big"), SheetInfo("j", 2)]
    stage.scheduler.ask(SchedulerActor.register_job, "j", infos, waiting=[1, 2])
    stage.scheduler.ask(SchedulerActor.lift, "busy")
    assert stage.next_told()[:2] == ("limit_ended", [1])


@pytest.mark.parametrize("instrument", ["busy", None])
def test_a_job_that_was_paused_or_restarted_during_a_lift_finds_it(
    stage: Stage, instrument: str | None
) -> None:
    stage.scheduler.ask(SchedulerActor.lift, instrument)
    stage.register(2, "busy", waiting=[1])
    assert sorted(stage.all_told(2)) == [("granted", [2]), ("limit_ended", [1])]
    stage.told.clear()
    stage.scheduler.ask(SchedulerActor.block, "busy", time.time() + 60.0)
    stage.register(2, "busy", waiting=[1])
    assert stage.told == [], "that is another limit"


def test_explain_names_the_pressure(stage: Stage) -> None:
    stage.load(990.0)
    stage.register(1)
    reason = stage.scheduler.ask(SchedulerActor.explain, "j", 1)
    assert reason.code == "pressure"
    assert reason.data["level"] == "critical"
    assert "990 of 1000 MB" in reason.text


def test_a_scheduler_that_starts_knows_the_limits_in_force(stage: Stage) -> None:
    stage.context.rate_limits.until = {"busy": time.time() + 60.0}
    stage.scheduler.ask(SchedulerActor.set_rate_limiter, stage.context.rate_limits)
    stage.register(1, "busy")
    assert stage.scheduler.ask(SchedulerActor.explain, "j", 1).code == "rate_limited"


@pytest.mark.parametrize("step", range(12))
def test_a_limit_that_ends_between_two_looks_at_the_clock_is_not_missed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    begun = clock.steady()
    readings = itertools.count(1)
    monkeypatch.setattr("marianne.clock.steady", lambda: begun + next(readings) * 0.02)
    stage.scheduler.ask(SchedulerActor.block, "busy", begun + 0.03 + step * 0.02)
    stage.register(1, "busy")
    assert stage.next_told()[:2] == ("granted", [1])


def test_a_sheet_with_a_batch_job_of_its_own_takes_a_place_among_those_and_no_slot(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.context.executor, "rooms", lambda: {"hpc": 1})
    monkeypatch.setattr(stage.context.executor, "batch_jobs", lambda: {"hpc": 2})
    stage.scheduler.ask(SchedulerActor.room_changed)
    own = [SheetInfo("j", n, "shell", batch=True, cpus=64.0, where="hpc") for n in (1, 2, 3)]
    usual = [SheetInfo("j", n, "shell", where="hpc") for n in (4, 5)]
    stage.scheduler.ask(SchedulerActor.register_job, "j", [*own, *usual])
    stage.settled()
    assert stage.next_told()[:2] == ("granted", [1, 2, 4])
    assert stage.scheduler.ask(SchedulerActor.wanting, "hpc") == 1
    found = stage.scheduler.ask(SchedulerActor.explain, "j", 3)
    assert found.text == "2 sheets have batch jobs of their own, as many as may"


def test_where_no_batch_jobs_are_made_it_is_a_sheet_like_others(stage: Stage) -> None:
    infos = [SheetInfo("j", num, "shell", batch=True) for num in (1, 2)]
    stage.scheduler.ask(SchedulerActor.register_job, "j", infos)
    assert stage.next_told()[:2] == ("granted", [1, 2])
