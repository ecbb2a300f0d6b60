"""What a conductor's deaths do to the jobs that ran."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marianne.daemon.deathwatch import SERVES, STOPS, count_death
from marianne.home import Home
from marianne.score.pack import pack_plan
from marianne.score.plan import Instrument, Plan, Prompt, SheetPlan
from marianne.state.changes import InsertJob, SaveSheet, UpdateJob
from marianne.state.database import Database
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus
from marianne.state.reader import Reader

PLAN = Plan(
    "job", "/w", (SheetPlan(1, "one", 1, Instrument("shell"), Prompt("true")),), total_stages=1
)


class House:
    """A home with one job, ``job``, whose sheet runs."""

    def __init__(self, place: Path, plan: bytes | None = None) -> None:
        self.home = Home(place)
        row = JobRow("job", "job", JobStatus.RUNNING, "/w", 1.0, 1)
        sheet = SheetRow(1, SheetStatus.RUNNING, attempt=1, started_at=1.0)
        content = pack_plan(PLAN) if plan is None else plan
        self.write(InsertJob(row, content, "", b""), SaveSheet("job", sheet), SERVES)

    def write(self, *changes: Any) -> None:
        with Database(self.home.db) as database:
            database.write(changes)

    def die(self, times: int = 1) -> None:
        for _ in range(times):
            count_death(self.home)

    @property
    def job(self) -> tuple[str, str | None, int]:
        with Reader(self.home.db) as reader:
            row = reader.job("job")
        assert row is not None
        return str(row.status), row.reason, row.crashes


def test_the_first_start_of_all_finds_nothing_to_count(tmp_path: Path) -> None:
    home = Home(tmp_path)
    Database(home.db).close()
    count_death(home)
    with Reader(home.db) as reader:
        assert not list(reader.live_jobs())


@pytest.mark.parametrize(
    ("deaths", "found"),
    [
        (1, ("running", None, 1)),
        (2, ("running", None, 2)),
        (3, ("pausing", "crashes", 3)),
        (5, ("pausing", "crashes", 5)),
        (6, ("paused", "crashes", 6)),
    ],
)
def test_deaths_in_a_row(tmp_path: Path, deaths: int, found: tuple[str, str | None, int]) -> None:
    house = House(tmp_path)
    house.die(deaths)
    assert house.job == found


def test_an_orderly_stop_counts_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.write(STOPS)
    house.die(5)
    assert house.job == ("running", None, 0)


def test_a_job_that_a_person_pauses_is_put_away_likewise(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.write(UpdateJob("job", {"status": JobStatus.PAUSING, "reason": "person"}))
    house.die(5)
    assert house.job == ("pausing", "person", 5)
    house.die()
    assert house.job == ("paused", "crashes", 6)


def test_a_job_that_is_put_away_has_no_running_sheet(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.die(6)
    with Reader(house.home.db) as reader:
        (sheet,) = reader.sheets("job")
        (attempt,) = reader.attempts("job")
        events = [event.event for event in reader.events_since(0)]
    assert (sheet.status, attempt.outcome) == (SheetStatus.PENDING, "interrupted")
    assert events == ["sheet.interrupted", "job.paused"]


def test_a_job_whose_plan_nobody_can_read_does_not_keep_the_conductor_from_starting(
    tmp_path: Path,
) -> None:
    house = House(tmp_path, plan=b"\xc1")
    house.die(6)
    assert house.job == ("paused", "crashes", 6)
