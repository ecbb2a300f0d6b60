"""Deleting jobs that are over: rows first, then files; nothing that lives, nothing twice."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from manager_parts import Stage, code, stage_in, told

from marianne.daemon.jobs.clear import Clear
from marianne.daemon.shared.refusal import Refused
from marianne.state.errors import StoreFull
from marianne.state.models import JobStatus

FULL = StoreFull("the disk is full")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with stage_in(tmp_path) as stage:
        for job_id, status in [("a", JobStatus.COMPLETED), ("b", JobStatus.FAILED)]:
            stage.insert(job_id, status, finished_at=1.0)
            stage.home.job_dir(job_id).mkdir(parents=True)
        stage.lives("lives")
        yield stage


@pytest.fixture
def parts(stage: Stage) -> Clear:
    return Clear(stage.desk, lambda _ids: set())


def left(stage: Stage) -> list[str]:
    """The jobs whose files are still in their place."""
    return sorted(path.name for path in stage.home.jobs.iterdir() if path.name[0] != ".")


def test_without_a_selection_all_that_is_over_goes(stage: Stage, parts: Clear) -> None:
    answer = told(stage.ask(parts.clear, None, None, None))
    assert (answer["deleted"], sorted(answer["jobs"])) == (2, ["a", "b"])
    assert stage.desk.reader.job("a") is None
    assert stage.status("lives") is JobStatus.QUEUED
    assert left(stage) == []
    assert len(stage.system.children.started) == 1  # the process that removes them


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ((["failed"], None, None), ["b"]),
        ((None, None, ["a"]), ["a"]),
        ((["failed"], None, ["a"]), []),
        ((None, 1e12, None), []),
    ],
)
def test_a_selection_is_by_status_age_and_name(
    stage: Stage, parts: Clear, selection: tuple[object, ...], expected: list[str]
) -> None:
    assert told(stage.ask(parts.clear, *selection))["jobs"] == expected


def test_the_files_go_when_the_rows_are_gone(stage: Stage, parts: Clear) -> None:
    stage.disk.held = True
    asked = stage.ask(parts.clear, None, None, None)
    assert (code(asked), left(stage)) == ("open", ["a", "b"])
    stage.commit()
    assert (code(asked), left(stage)) == ("ok", [])


def test_a_deletion_that_the_disk_refuses_deletes_nothing(stage: Stage, parts: Clear) -> None:
    stage.disk.error = FULL
    assert stage.ask(parts.clear, None, None, None).outcome().error is FULL
    assert (left(stage), stage.desk.deleting) == (["a", "b"], set())
    stage.disk.error = None
    assert told(stage.ask(parts.clear, None, None, None))["deleted"] == 2


def test_two_who_clear_at_once_delete_each_job_once(stage: Stage, parts: Clear) -> None:
    stage.disk.held = True
    both = [stage.ask(parts.clear, None, None, None) for _ in range(2)]
    stage.commit()
    assert [told(one)["deleted"] for one in both] == [2, 0]


def test_a_job_that_lives_is_not_cleared_by_its_name(stage: Stage, parts: Clear) -> None:
    assert code(stage.ask(parts.clear, None, None, ["a", "lives"])) == "conflict"
    assert left(stage) == ["a", "b"]


def test_a_job_whose_hooks_run_is_not_cleared(stage: Stage, parts: Clear) -> None:
    stage.found("a")
    assert told(stage.ask(parts.clear, None, None, None))["jobs"] == ["b"]
    assert code(stage.ask(parts.clear, None, None, ["a"])) == "conflict"


def test_who_clears_twice_under_one_id_is_told_the_same(stage: Stage, parts: Clear) -> None:
    first = told(stage.ask(parts.clear, None, None, None, request_id="r"))
    assert told(stage.ask(parts.clear, None, None, None, request_id="r")) == first


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_files_that_cannot_be_moved_away_keep_nobody_from_his_answer(
    stage: Stage, parts: Clear, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Path, _to: Path) -> Path:
        raise OSError(number, "the disk", str(path))

    monkeypatch.setattr(Path, "rename", fails)
    assert told(stage.ask(parts.clear, None, None, None))["deleted"] == 2
    assert left(stage) == ["a", "b"]  # a start removes them: they have no row


# -- retention -----------------------------------------------------------------------------------


def test_retention_deletes_what_it_chose_unless_it_lives_again(stage: Stage, parts: Clear) -> None:
    stage.found("a")
    parts.forget_jobs(["a", "b", "lives"])
    stage.turns.run()
    assert stage.desk.reader.job("b") is None
    assert stage.status("a") is JobStatus.COMPLETED
    assert left(stage) == ["a"]


def test_what_retention_may_not_delete_now_is_a_job_as_before(stage: Stage, parts: Clear) -> None:
    stage.disk.error = FULL
    parts.forget_jobs(["a", "b"])
    stage.turns.run()
    assert (stage.desk.deleting, left(stage)) == (set(), ["a", "b"])


def test_a_job_that_is_on_its_way_out_is_none_when_that_is_on_disk(
    stage: Stage, parts: Clear
) -> None:
    stage.disk.held = True
    parts.forget_jobs(["a"])
    assert stage.desk.deleting == {"a"}
    with pytest.raises(Refused) as refused:
        stage.desk.known("a")
    assert refused.value.code == "unavailable", "asked again, it finds that decided"
    stage.commit()
    assert stage.desk.deleting == set()
    with pytest.raises(Refused, match="no job"):
        stage.desk.known("a")


def test_files_alone_go_of_jobs_that_do_not_live(stage: Stage, parts: Clear) -> None:
    stage.found("a")
    parts.forget_files(["a", "b"])
    assert left(stage) == ["a"]
    assert stage.status("b") is JobStatus.FAILED


def test_what_a_stop_left_of_a_jobs_end_to_the_next_conductor_is_not_deleted(stage: Stage) -> None:
    """Its hooks would never run."""
    parts = Clear(stage.desk, lambda _ids: set())
    stage.desk.hooks_left = lambda row: row.job_id == "a"
    stage.context.stop.mode = "drain"
    assert code(stage.ask(parts.clear, None, None, ["a"])) == "shutting_down"
    parts.forget_jobs(["a", "b"])
    stage.turns.run()
    assert left(stage) == ["a"]
    assert told(stage.ask(parts.clear, None, None, None))["jobs"] == []
    stage.context.stop.mode = None  # then it is one of the live jobs, as long as they run
    assert told(stage.ask(parts.clear, None, None, None))["jobs"] == ["a"]
