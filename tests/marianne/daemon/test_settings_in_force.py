"""Another configuration is in force at once, for whoever decides by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from admission_stage import Stage, until

from marianne.daemon.config import DaemonConfig
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.jobs.job_life import Happens
from marianne.daemon.jobs.roster import Live, Roster
from marianne.daemon.jobs.settings import put_in_force
from marianne.state.models import JobRow, JobStatus


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path, max_concurrent_jobs=1)
    yield stage
    stage.close()


def test_more_jobs_are_admitted_when_their_limit_is_raised(stage: Stage) -> None:
    stage.insert("a", "b")
    stage.begin()
    until(lambda: stage.is_up("a"))
    assert not stage.is_up("b")
    stage.manager.ask(ManagerActor.apply_config, DaemonConfig(max_concurrent_jobs=2))
    until(lambda: stage.is_up("b"))


def test_who_keeps_something_of_it_is_told_and_running_jobs_look_at_their_time() -> None:
    told: list[Any] = []

    class Handle:
        def __init__(self, name: str) -> None:
            self._name = name

        def tell(self, method: Any, *args: Any) -> None:
            told.append((self._name, method.__name__, *args))

    class Everybody:
        """In the place of the context and of what it names."""

        config = enabled = None
        names = ("monitor", "health", "metrics", "traces", "web", "scheduler")
        monitor, health, metrics, traces, pages, scheduler = map(Handle, names)

        def __init__(self) -> None:
            self.face = self.learned = self

        def job(self, job_id: str) -> Handle:
            return Handle(job_id)

    roster = Roster()
    for name in ("runs", "waits"):
        roster[name] = Live(JobRow(name, name, JobStatus.QUEUED, "/w", 1.0, 1))
    assert roster.move(roster["runs"], Happens.FOUND_UP)
    context, config = Everybody(), DaemonConfig(max_concurrent_sheets=3)
    put_in_force(context, config, roster)  # type: ignore[arg-type]
    assert context.config is config
    assert context.enabled is config.learning.enabled
    assert told == [
        ("monitor", "update_limits", config.resource_limits),
        ("health", "start_periodic_checks"),
        ("metrics", "apply"),
        ("traces", "apply"),
        ("web", "apply"),
        ("scheduler", "set_limits", config),
        ("runs", "look_at_clock"),
    ]
