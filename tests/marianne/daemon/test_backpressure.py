"""The controller reads the monitor once and lets a rate limit slow nobody else."""

import time
from dataclasses import dataclass, field

import pytest

from marianne.daemon.at_once import at_once
from marianne.daemon.backpressure import BackpressureController, PressureLevel, ResourceEstimate
from marianne.daemon.config.sections import ResourceLimitConfig
from marianne.daemon.monitor import DEGRADED_AFTER, ResourceMonitor, ResourceSnapshot

LIMIT_MB = 1000


@dataclass
class Limits:
    left: dict[str, float] = field(default_factory=dict)

    def active_limits(self) -> dict[str, float]:
        return self.left


class Hub:
    def estimate(self, job_config_hash: str) -> ResourceEstimate | None:
        return ResourceEstimate(300.0, 5.0, 0.8) if job_config_hash == "known" else None


def resources(
    memory_mb: float = 0.0, processes: int = 0, *, failed: bool = False
) -> ResourceMonitor:
    seen = ResourceMonitor(ResourceLimitConfig(max_memory_mb=LIMIT_MB, max_processes=100))
    seen.snapshot = ResourceSnapshot(
        time.monotonic(), memory_mb, processes, 0, 0, probe_failed=failed
    )
    return seen


def controller(monitor: ResourceMonitor, **limits: float) -> BackpressureController:
    return BackpressureController(monitor, Limits(limits))


@pytest.mark.parametrize(
    ("memory_mb", "level", "delay"), [(500, "none", 0.0), (600, "low", 2.0), (750, "medium", 10.0)]
)
def test_memory_slows_the_grants(memory_mb: float, level: str, delay: float) -> None:
    judge = controller(resources(memory_mb))
    assert judge.current_level() == level
    assert at_once(judge.can_start_sheet()) == (True, delay)
    assert judge.rejection_reason() is None


def test_memory_that_the_monitor_no_longer_accepts_stops_everything() -> None:
    judge = controller(resources(800))
    assert judge.current_level() is PressureLevel.CRITICAL
    assert at_once(judge.can_start_sheet()) == (False, 60.0)
    assert not judge.should_accept_job()


def test_too_many_processes_are_critical_with_memory_to_spare() -> None:
    judge = controller(resources(0, processes=80))
    assert judge.current_level() is PressureLevel.CRITICAL
    assert judge.rejection_reason() == "resource"
    assert controller(resources(0, processes=79)).should_accept_job()


def test_a_failed_or_missing_reading_is_critical() -> None:
    degraded = resources()
    degraded._failures = DEGRADED_AFTER
    for blind in (
        ResourceMonitor(ResourceLimitConfig(max_memory_mb=LIMIT_MB, max_processes=100)),
        resources(failed=True),
        degraded,
    ):
        judge = controller(blind)
        assert judge.current_level() is PressureLevel.CRITICAL
        assert at_once(judge.can_start_sheet()) == (False, 60.0)
        assert not judge.should_accept_job()


def test_a_rate_limit_is_high_yet_delays_and_rejects_nobody_else() -> None:
    judge = controller(resources(), **{"claude-code": 4.0})
    assert judge.current_level() is PressureLevel.HIGH
    assert judge.current_delay == 30.0
    assert at_once(judge.can_start_sheet()) == (True, 0.0)
    assert judge.should_accept_job()
    assert judge.rejection_reason() is None


def test_a_level_passes_with_its_cause() -> None:
    monitor = resources(800)
    judge = controller(monitor)
    monitor.snapshot = ResourceSnapshot(time.monotonic(), 10.0, 1, 0, 0)
    assert judge.current_level() is PressureLevel.NONE
    assert judge.current_delay == 0.0


def test_a_judgement_reads_the_memory_once() -> None:
    class Counting(ResourceMonitor):
        reads = 0

        def current_memory_mb(self) -> float | None:
            self.reads += 1
            return 600.0 if self.reads == 1 else None

    monitor = Counting(ResourceLimitConfig(max_memory_mb=LIMIT_MB, max_processes=100))
    monitor.snapshot = resources(600).snapshot
    assert controller(monitor).current_level() is PressureLevel.LOW
    assert monitor.reads == 1


def test_estimates_come_from_what_was_learned() -> None:
    judge = BackpressureController(resources(), Limits(), Hub())
    assert at_once(judge.estimate_job_resource_needs("known")) == ResourceEstimate(300.0, 5.0, 0.8)
    assert at_once(judge.estimate_job_resource_needs("new")) is None
    assert at_once(controller(resources()).estimate_job_resource_needs("known")) is None
