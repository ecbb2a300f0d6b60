"""What a conductor's deaths do to the jobs that ran."""

from __future__ import annotations

import dataclasses
import errno
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from marianne.daemon.boot.crash_loop import SERVES, STOPS, count_death
from marianne.daemon.boot.shutdown import take_order
from marianne.daemon.job.aftermath import CUT_SHORT
from marianne.daemon.worker import executor
from marianne.home import Home
from marianne.model.plan import Instrument, Plan, Prompt, SheetPlan
from marianne.model.result import AttemptResult
from marianne.run import stop_order
from marianne.run.procfs import boot_id, start_time
from marianne.run.spool import Spool
from marianne.schedule.waits import Waits
from marianne.score.pack import pack_plan
from marianne.state.changes import AddAttempt, InsertJob, SaveSheet, UpdateJob
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

    def finish(self, outcome: str = "completed") -> None:
        """The sheet's attempt has ended, and only its worker's spool knows."""
        directory = self.home.job_dir("job")
        directory.mkdir(parents=True, exist_ok=True)
        spool = Spool(str(directory / "spool"))
        spool.append(AttemptResult(1, 1, outcome, 1.0, 2.0, exit_code=0).to_map())
        spool.close()

    def die(self, times: int = 1) -> None:
        for _ in range(times):
            count_death(self.home)

    @property
    def sheet(self) -> tuple[str, list[str]]:
        with Reader(self.home.db) as reader:
            (sheet,) = reader.sheets("job")
            return str(sheet.status), [a.outcome for a in reader.attempts("job")]

    @property
    def events(self) -> list[str]:
        with Reader(self.home.db) as reader:
            return [event.event for event in reader.events.since(0)]

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


@pytest.mark.parametrize(
    ("deaths", "found"),
    [(3, ("pausing", "crashes", 3)), (6, ("paused", "crashes", 6))],
)
def test_a_job_whose_rows_and_spool_cannot_both_be_true_keeps_no_other_from_starting(
    tmp_path: Path, deaths: int, found: tuple[str, str | None, int]
) -> None:
    """Such a home never started again."""
    house = House(tmp_path)
    house.write(AddAttempt("job", AttemptResult(1, 1, "failed", 1.0, 2.0, exit_code=1)))
    house.write(InsertJob(JobRow("other", "other", JobStatus.RUNNING, "/w", 1.0, 1), b"", "", b""))
    house.finish()  # of an attempt that has its result, and is said to run
    house.die(deaths)
    assert house.job == found
    with Reader(house.home.db) as reader:
        other = reader.job("other")
    assert other is not None
    assert other.crashes == deaths


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
        events = [event.event for event in reader.events.since(0)]
    assert (sheet.status, attempt.outcome) == (SheetStatus.PENDING, "interrupted")
    assert events == ["sheet.interrupted", "job.paused"]


def test_a_job_whose_plan_nobody_can_read_does_not_keep_the_conductor_from_starting(
    tmp_path: Path,
) -> None:
    house = House(tmp_path, plan=b"\xc1")
    house.die(6)
    assert house.job == ("paused", "crashes", 6)


@pytest.mark.parametrize("deaths", [3, 6])
def test_a_result_in_the_spool_is_progress_and_is_not_run_again(
    tmp_path: Path, deaths: int
) -> None:
    house = House(tmp_path)
    house.die(deaths - 1)
    house.finish()
    house.die()
    assert house.sheet == ("completed", ["completed"])
    assert house.job[2] == 0
    assert house.job[0] == "completed"


def test_what_was_interrupted_is_no_progress(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.die(5)
    house.finish("interrupted")
    house.die()
    assert house.job == ("paused", "crashes", 6)
    assert house.sheet == ("pending", ["interrupted"])


def test_the_worker_of_a_job_that_is_put_away_is_ended_first(tmp_path: Path) -> None:
    house = House(tmp_path)
    worker = subprocess.Popen(["sleep", "60"])
    try:
        record = {"worker_pid": worker.pid, "worker_start_time": start_time(worker.pid)}
        house.write(UpdateJob("job", {**record, "worker_boot_id": boot_id()}))
        house.die(5)
        assert worker.poll() is None
        house.die()
        assert worker.wait(5.0) == -signal.SIGKILL
    finally:
        worker.kill()
        worker.wait()
    assert house.job == ("paused", "crashes", 6)


def test_a_stranger_with_the_workers_pid_is_left_alone(tmp_path: Path) -> None:
    house = House(tmp_path)
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        record = {"worker_pid": stranger.pid, "worker_start_time": 1}
        house.write(UpdateJob("job", {**record, "worker_boot_id": boot_id()}))
        house.die(6)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
    assert house.job == ("paused", "crashes", 6)


def test_a_spool_that_cannot_be_read_just_now_keeps_the_job_from_being_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path)
    house.die(5)

    def cannot(path: str) -> Any:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(executor, "read_spool", cannot)
    house.die()
    assert house.job == ("pausing", "crashes", 6)


def test_what_was_finished_is_not_cancelled_by_the_order_of_a_conductor_that_died(
    tmp_path: Path,
) -> None:
    house = House(tmp_path)
    stop_order.leave(house.home.path, "cancel", "")
    house.finish()
    take_order(house.home, None)
    assert house.sheet == ("completed", ["completed"])
    assert house.job == ("completed", None, 0)


def test_the_end_of_a_job_whose_plan_cannot_be_read_is_told_like_any_other(tmp_path: Path) -> None:
    house = House(tmp_path, b"none")
    house.die(6)
    assert house.job == ("paused", "crashes", 6)
    assert house.events == ["job.paused"]
    stop_order.leave(house.home.path, "cancel", "")
    take_order(house.home, None)
    assert house.job == ("cancelled", "crashes", 6)
    assert house.events == ["job.paused", "job.cancelled"]


def test_a_job_that_was_cancelled_by_an_order_waits_for_nothing_when_it_goes_on(
    tmp_path: Path,
) -> None:
    """As one that is cancelled by a request: who lets it go on wants it to begin."""
    house = House(tmp_path)
    options = Waits((("other", False),), 9e9).into({"group": "g"})
    row = JobRow("waits", "waits", JobStatus.QUEUED, "/w", 1.0, 1, options=options)
    house.write(InsertJob(row, pack_plan(PLAN), "", b""))
    stop_order.leave(house.home.path, "cancel", "")
    take_order(house.home, None)
    with Reader(house.home.db) as reader:
        found = reader.job("waits")
    assert found is not None
    assert (found.status, found.options) == (JobStatus.CANCELLED, {"group": "g"})


def test_a_job_whose_plan_cannot_be_read_is_told_to_be_cancelled_by_an_order(
    tmp_path: Path,
) -> None:
    house = House(tmp_path, b"none")
    stop_order.leave(house.home.path, "cancel", "")
    take_order(house.home, None)
    with Reader(house.home.db) as reader:
        row, events = reader.job("job"), reader.events.since(0)
    assert row is not None
    assert row.status is JobStatus.CANCELLED
    assert row.finished_at is not None
    assert [event.event for event in events] == ["job.cancelled"]


def test_what_runs_after_a_cancel_is_left_out_at_the_third_death(tmp_path: Path) -> None:
    sheet = dataclasses.replace(PLAN.sheets[0], when="always", after_cancel=True)
    house = House(tmp_path, pack_plan(dataclasses.replace(PLAN, sheets=(sheet,))))
    house.write(UpdateJob("job", {"status": JobStatus.CANCELLING}))
    for deaths, cut_short in ((2, None), (1, True)):
        house.die(deaths)
        with Reader(house.home.db) as reader:
            row = reader.job("job")
        assert row is not None
        assert row.options.get(CUT_SHORT) is cut_short
    assert house.job == ("cancelling", None, 3)
