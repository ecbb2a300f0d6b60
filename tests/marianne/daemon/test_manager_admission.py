"""Who is let in: places, memory, pressure, and the order of those that wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from manager_parts import WAY_IN, Stage, stage_in

from actors import Outcome
from marianne.daemon.jobs import admission, memory
from marianne.daemon.jobs.admission import Admission
from marianne.daemon.jobs.job_life import Happens, Life
from marianne.daemon.jobs.memory import MemoryRoom
from marianne.daemon.jobs.roster import Live
from marianne.state.errors import StoreFull
from marianne.state.models import JobRow, JobStatus, OutcomeRow


class Door(Admission):
    """Notes whom it lets in."""

    def __init__(self, stage: Stage) -> None:
        self.let_in: list[str] = []
        super().__init__(stage.desk, MemoryRoom(stage.context), self.let_in.append)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with stage_in(tmp_path, max_concurrent_jobs=2) as stage:
        yield stage


@pytest.fixture
def door(stage: Stage) -> Door:
    return Door(stage)


def let_all_in(stage: Stage, door: Door) -> list[str]:
    """Whom the next look lets in, when it is on disk."""
    door.admit()
    stage.turns.run()
    return door.let_in


def expects(stage: Stage, config_hash: str, memory_mb: float) -> None:
    """Jobs of this configuration used so much before."""
    used = [OutcomeRow(config_hash, f"o{n}", 1.0, memory_mb, 1.0, 1.0) for n in range(10)]
    stage.context.learned.fill(used, [])


def new(job_id: str, config_hash: str = "") -> Live:
    """A job that is just being submitted."""
    row = JobRow(job_id, job_id, JobStatus.QUEUED, "/w", 9.0, 1, config_hash=config_hash)
    return Live(row, unsure=True)


# -- places --------------------------------------------------------------------------------------


def test_nobody_is_started_before_its_admission_is_on_disk(stage: Stage, door: Door) -> None:
    live = stage.lives("a")
    stage.disk.held = True
    assert let_all_in(stage, door) == []
    assert (live.life, stage.status("a")) == (Life.ENTERING, JobStatus.QUEUED)
    stage.commit()
    assert door.let_in == ["a"]
    assert (live.life, stage.status("a")) == (Life.STARTING, JobStatus.RUNNING)
    assert stage.disk.events == [("a", "job.started")]


def test_as_many_are_let_in_as_there_are_places(stage: Stage, door: Door) -> None:
    for job_id in "abc":
        stage.lives(job_id)
    assert let_all_in(stage, door) == ["a", "b"]
    assert let_all_in(stage, door) == ["a", "b"]
    assert door.places == 0
    assert stage.status("c") is JobStatus.QUEUED


def test_the_highest_priority_goes_first_then_who_waits_longest(stage: Stage, door: Door) -> None:
    stage.lives("late", submitted_at=3.0)
    stage.lives("early", submitted_at=2.0)
    stage.lives("first", submitted_at=4.0, priority=1)
    assert let_all_in(stage, door) == ["first", "early"]


def test_a_limit_that_was_lowered_ends_nobody_and_lets_nobody_in(stage: Stage, door: Door) -> None:
    for job_id in "ab":
        stage.lives(job_id, JobStatus.RUNNING, *WAY_IN)
    stage.lives("c")
    stage.context.config = stage.context.config.model_copy(update={"max_concurrent_jobs": 1})
    assert door.places == -1
    assert let_all_in(stage, door) == []
    assert stage.live.admitted == 2


def test_a_job_that_is_delayed_keeps_its_place(stage: Stage, door: Door) -> None:
    for job_id in "ab":
        stage.lives(job_id, JobStatus.RUNNING, *WAY_IN[:2], Happens.PUT_OFF)
    stage.lives("c")
    assert let_all_in(stage, door) == []


def test_a_job_whose_change_is_not_decided_is_not_let_in(stage: Stage, door: Door) -> None:
    stage.live.change(stage.lives("a"))
    assert let_all_in(stage, door) == []
    stage.live.decided("a")
    assert let_all_in(stage, door) == ["a"]


def test_a_job_that_goes_on_keeps_the_time_of_its_first_start(stage: Stage, door: Door) -> None:
    stage.lives("a", started_at=5.0, finished_at=6.0, error="it was", reason="person")
    let_all_in(stage, door)
    row = stage.job("a")
    assert (row.started_at, row.finished_at, row.error, row.reason) == (5.0, None, None, None)


def test_what_the_store_refuses_ends_the_manager_which_begins_by_what_is_on_disk(
    stage: Stage, door: Door
) -> None:
    stage.lives("a")
    with pytest.raises(StoreFull):
        door.admitted(Outcome(None, StoreFull("the disk")), "a")
    with pytest.raises(StoreFull):
        door.goes_on(Outcome(None, StoreFull("the disk")), "a")
    assert door.let_in == []


@pytest.mark.parametrize("mode", ["stop", "drain", "restart"])
def test_a_conductor_that_ends_lets_nobody_in(stage: Stage, door: Door, mode: str) -> None:
    stage.lives("a")
    stage.context.stop.mode = mode
    assert let_all_in(stage, door) == []


def test_nobody_is_let_in_while_the_disk_fails(stage: Stage, door: Door) -> None:
    stage.lives("a")
    stage.context.storage.problem = "the disk is full"
    assert let_all_in(stage, door) == []
    stage.context.storage.problem = None
    assert let_all_in(stage, door) == ["a"]


# -- one that is just being submitted ------------------------------------------------------------


def test_a_new_job_runs_at_once_where_nobody_waits(stage: Stage, door: Door) -> None:
    live = new("a")
    assert door.place(live, 7.0) is None
    assert (live.row.status, live.row.started_at) == (JobStatus.RUNNING, 7.0)


def test_a_new_job_goes_before_nobody_who_waits(stage: Stage, door: Door) -> None:
    stage.lives("waits")
    live = new("a")
    assert door.place(live, 7.0) is None
    assert live.row.status is JobStatus.QUEUED


def test_a_new_job_goes_before_nobody_who_is_on_the_way_to_the_disk(
    stage: Stage, door: Door
) -> None:
    stage.live["comes"] = new("comes")
    live = new("a")
    assert door.place(live, 7.0) is None
    assert live.row.status is JobStatus.QUEUED


def test_a_new_job_waits_where_no_place_is_free(stage: Stage, door: Door) -> None:
    for job_id in "ab":
        stage.lives(job_id, JobStatus.RUNNING, *WAY_IN)
    live = new("c")
    assert door.place(live, 7.0) is None
    assert live.row.status is JobStatus.QUEUED


def test_a_new_job_that_finds_no_memory_is_told_why(stage: Stage, door: Door) -> None:
    stage.lives("runs", JobStatus.RUNNING, *WAY_IN)
    expects(stage, "big", 900.0)
    live = new("a", "big")
    words = door.place(live, 7.0)
    assert words is not None
    assert "900 MB" in words
    assert (live.row.status, live.row.reason) == (JobStatus.PENDING, memory.REASON)
    assert stage.context.resources.awaited


# -- memory --------------------------------------------------------------------------------------


def test_who_finds_no_memory_says_so_once_and_others_may_use_what_is_left(
    stage: Stage, door: Door
) -> None:
    stage.lives("runs", JobStatus.RUNNING, *WAY_IN)
    expects(stage, "big", 900.0)
    big = stage.lives("big", config_hash="big", submitted_at=2.0)
    stage.lives("small", submitted_at=3.0)
    assert let_all_in(stage, door) == ["small"]
    assert let_all_in(stage, door) == ["small"]
    row = stage.job("big")
    assert (row.status, row.reason) == (JobStatus.PENDING, memory.REASON)
    assert stage.disk.events.count(("big", "job.pending")) == 1
    assert stage.context.resources.awaited
    assert big.size.candidate.overtaken == 1
    assert "900 MB" in door.why_held(big)["text"]


def test_a_job_that_waits_for_memory_is_let_in_when_there_is_some(stage: Stage, door: Door) -> None:
    runs = stage.lives("runs", JobStatus.RUNNING, *WAY_IN)
    expects(stage, "big", 900.0)
    stage.lives("big", config_hash="big")
    assert let_all_in(stage, door) == []
    stage.live.leave(runs, runs.row)
    del stage.live["runs"]
    assert let_all_in(stage, door) == ["big"]
    assert stage.job("big").reason is None
    assert not stage.context.resources.awaited
    assert stage.others.was_told("used") == [("big",)]


def test_what_running_jobs_will_use_is_not_given_away_twice(stage: Stage, door: Door) -> None:
    expects(stage, "half", 500.0)
    stage.lives("a", config_hash="half", submitted_at=2.0)
    stage.lives("b", config_hash="half", submitted_at=3.0)
    assert let_all_in(stage, door) == ["a"]
    stage.context.resources.by_job = {"a": 500.0}  # and the reading knows of it
    stage.uses(500.0)
    assert let_all_in(stage, door) == ["a"]
    stage.context.resources.by_job = {}
    assert door.free().free_mb == pytest.approx(800.0 - 500.0 - 500.0)


# -- pressure ------------------------------------------------------------------------------------


def test_under_pressure_nobody_is_let_in_and_those_whose_turn_it_is_say_why(
    stage: Stage, door: Door
) -> None:
    for n, job_id in enumerate("abc"):
        stage.lives(job_id, submitted_at=float(n))
    stage.uses(990.0)
    assert let_all_in(stage, door) == []
    held = {one: (stage.status(one), stage.job(one).reason) for one in "abc"}
    pending = (JobStatus.PENDING, admission.PRESSURE)
    assert held == {"a": pending, "b": pending, "c": (JobStatus.QUEUED, None)}
    assert let_all_in(stage, door) == []
    assert stage.disk.events == [("a", "job.pending"), ("b", "job.pending")]  # said once
    stage.uses(10.0)
    assert let_all_in(stage, door) == ["a", "b"]


def test_what_pressure_paused_goes_on_when_the_level_falls(stage: Stage, door: Door) -> None:
    stage.lives("a", JobStatus.PAUSED, reason=admission.PRESSURE)
    stage.lives("b", JobStatus.PAUSED, reason="person")
    stage.uses(990.0)
    assert let_all_in(stage, door) == []
    stage.uses(10.0)
    assert let_all_in(stage, door) == ["a"]
    assert stage.disk.events == [("a", "job.resumed"), ("a", "job.started")]
    assert (stage.status("b"), stage.job("b").reason) == (JobStatus.PAUSED, "person")


def test_what_pressure_paused_and_somebody_is_changing_does_not_go_on(
    stage: Stage, door: Door
) -> None:
    stage.live.change(stage.lives("a", JobStatus.PAUSED, reason=admission.PRESSURE))
    assert let_all_in(stage, door) == []
    assert stage.status("a") is JobStatus.PAUSED


def test_that_a_job_goes_on_is_on_disk_before_it_is_let_in(stage: Stage, door: Door) -> None:
    stage.lives("a", JobStatus.PAUSED, reason=admission.PRESSURE)
    stage.disk.held = True
    door.admit()
    stage.disk.held = False
    stage.commit()
    kinds = [event for _job, event in stage.disk.events]
    assert kinds == ["job.resumed", "job.started"]
    assert door.let_in == ["a"]


def test_pressure_pauses_a_job_that_runs_and_no_other(stage: Stage, door: Door) -> None:
    stage.lives("runs", JobStatus.RUNNING, *WAY_IN)
    stage.lives("waits")
    for job_id in ("runs", "waits", "gone"):
        door.pause_for_pressure(job_id)
    assert [one[:2] for one in stage.others.told] == [("job:runs/job", "press")]


def test_a_fallen_level_relieves_the_jobs_that_run(stage: Stage, door: Door) -> None:
    stage.lives("runs", JobStatus.RUNNING, *WAY_IN)
    stage.uses(990.0)
    let_all_in(stage, door)
    assert stage.others.was_told("relieve") == []
    stage.uses(10.0)
    let_all_in(stage, door)
    assert stage.others.was_told("relieve") == [()]
