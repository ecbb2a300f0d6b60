"""Groups of jobs, of which only so many run at once; and a job's place in the line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from manager_parts import WAY_IN, Stage, code, stage_in, told

from marianne.daemon.jobs.admission import Admission
from marianne.daemon.jobs.commands import Commands
from marianne.daemon.jobs.groups import Groups
from marianne.daemon.jobs.memory import MemoryRoom
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.views.groups import shown
from marianne.state.errors import StoreFull
from marianne.state.models import JobRow, JobStatus


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with stage_in(tmp_path, max_concurrent_jobs=10) as stage:
        yield stage


@pytest.fixture
def groups(stage: Stage) -> Groups:
    made = Groups(stage.desk, stage.admit)
    told(stage.ask(made.change, "gpu", 2))
    return made


def queue(stage: Stage, *job_ids: str, group: str | None = "gpu", **fields: Any) -> list[JobRow]:
    options = {} if group is None else {"group": group}
    return [stage.lives(job_id, options=options, **fields).row for job_id in job_ids]


def begins(stage: Stage, groups: Groups) -> list[str]:
    """Who is let in now."""
    let_in: list[str] = []
    room = MemoryRoom(stage.context)
    Admission(stage.desk, room, let_in.append, groups.open).admit()
    stage.turns.run()
    return let_in


def test_of_a_group_only_so_many_jobs_run_and_others_go_past_it(
    stage: Stage, groups: Groups
) -> None:
    queue(stage, "a", "b", "c")
    queue(stage, "other", group=None, submitted_at=2.0)
    assert begins(stage, groups) == ["a", "b", "other"]
    held = groups.why(stage.live["c"].row)
    assert held is not None
    assert (held["code"], held["text"]) == (
        "group",
        "of its group gpu 2 jobs run, as many as may",
    )
    assert groups.why(stage.live["other"].row) is None
    assert begins(stage, groups) == []


def test_a_new_job_of_a_full_group_gets_in_line(stage: Stage, groups: Groups) -> None:
    for job_id in ("a", "b"):
        stage.lives(job_id, JobStatus.RUNNING, *WAY_IN, options={"group": "gpu"})
    (row,) = queue(stage, "c")
    live = stage.live.pop("c")
    admission = Admission(stage.desk, MemoryRoom(stage.context), lambda _job: None, groups.open)
    assert admission.place(live, 1.0) is None
    assert row.status is JobStatus.QUEUED
    told(stage.ask(groups.change, "gpu", 3))
    assert admission.place(live, 1.0) is None
    assert row.status is JobStatus.RUNNING


def test_another_limit_lets_in_who_waits_and_is_there_after_a_restart(
    stage: Stage, groups: Groups
) -> None:
    before = stage.admits
    assert told(stage.ask(groups.change, "gpu", 5)) == {
        "name": "gpu",
        "parallel": 5,
        "running": 0,
        "waiting": 0,
    }
    assert stage.admits == before + 1
    assert shown(stage.desk.reader)[0]["parallel"] == 5


def test_a_group_is_removed_when_nothing_of_it_is_left(stage: Stage, groups: Groups) -> None:
    queue(stage, "a")
    assert code(stage.ask(groups.change, "gpu", None)) == "conflict"
    assert code(stage.ask(groups.change, "cpu", None)) == "not_found"
    stage.live.pop("a")
    assert told(stage.ask(groups.change, "gpu", None))["parallel"] is None
    assert shown(stage.desk.reader) == []


def test_no_job_is_taken_into_a_group_that_is_being_removed(stage: Stage, groups: Groups) -> None:
    stage.disk.held = True
    removed = stage.ask(groups.change, "gpu", None)
    with pytest.raises(Refused) as refused:
        groups.check("gpu")
    assert refused.value.code == "unavailable", "asked again it is gone, or still there"
    stage.commit()
    assert told(removed)["parallel"] is None
    with pytest.raises(Refused) as refused:
        groups.check("gpu")
    assert refused.value.code == "not_found"


def test_what_the_disk_refuses_is_no_change(stage: Stage, groups: Groups) -> None:
    stage.disk.error = StoreFull("the disk is full")
    assert stage.ask(groups.change, "gpu", 9).outcome().error is stage.disk.error
    stage.disk.error = None
    queue(stage, "a", "b", "c")
    assert begins(stage, groups) == ["a", "b"]


def test_a_group_that_there_is_not_is_refused_with_the_way_to_make_it(groups: Groups) -> None:
    groups.check("gpu")
    groups.check(None)
    with pytest.raises(Refused, match="no group 'cpu'") as refused:
        groups.check("cpu")
    assert "marianne group add cpu" in str(refused.value.hint)


# -- priorities ----------------------------------------------------------------------------------


def test_a_job_that_waits_gets_another_place_in_the_line(stage: Stage) -> None:
    queue(stage, "a", "b", "c", group=None)
    commands = Commands(stage.desk, stage.admit)
    answer = told(stage.ask(commands.prioritize, "c", 1, request_id="r"))
    assert answer["message"] == "its priority is 1, it was 5"
    assert [row.job_id for row in stage.live.in_line()] == ["c", "a", "b"]
    assert stage.job("c").priority == 1
    assert stage.disk.events == [("c", "job.modified")]
    told(stage.ask(commands.prioritize, "c", 9))
    assert [row.job_id for row in stage.live.in_line()] == ["a", "b", "c"]


def test_a_job_that_was_let_in_or_is_over_has_left_the_line(stage: Stage) -> None:
    stage.lives("a", JobStatus.RUNNING, *WAY_IN)
    stage.insert("b", JobStatus.COMPLETED)
    commands = Commands(stage.desk, stage.admit)
    for job_id in ("a", "b"):
        assert code(stage.ask(commands.prioritize, job_id, 1)) == "conflict"


def test_a_priority_that_the_disk_refuses_is_none(stage: Stage) -> None:
    queue(stage, "a", "b", group=None)
    commands = Commands(stage.desk, stage.admit)
    stage.disk.error = StoreFull("the disk is full")
    assert code(stage.ask(commands.prioritize, "b", 1)) != "ok"
    assert [row.job_id for row in stage.live.in_line()] == ["a", "b"]
