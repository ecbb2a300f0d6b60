"""A paused or failed job goes on: by what is stored, or by a score that has changed since."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from manager_parts import WAY_IN, Stage, code, told
from modified import OLD, Modified, parsed

from actors import Future
from marianne.daemon.jobs import modify as modifying
from marianne.state.changes import UpdateJob
from marianne.state.models import JobStatus


@pytest.fixture
def parts(stage: Stage) -> Modified:
    return Modified(stage)


def resume(stage: Stage, parts: Modified, **more: Any) -> Future[Any]:
    wanted = {"workspace": None, "config_path": None, "no_reload": False, **more}
    return stage.ask(parts.resume, "a", *wanted.values())


@pytest.fixture
def score(stage: Stage, tmp_path: Path) -> Path:
    """The file of job ``a``, which is paused and was read as ``old``."""
    path = tmp_path / "score.yaml"
    path.write_text("old")
    stage.lives("a", JobStatus.PAUSED, plan=OLD, score="old", config_path=str(path))
    return path


def test_a_job_whose_score_is_as_it_was_just_goes_on(
    stage: Stage, parts: Modified, score: Path
) -> None:
    assert code(resume(stage, parts)) == "ok"
    assert parts.went_on == ["a"]
    assert stage.others.asked == []


def test_a_job_that_was_to_have_no_hooks_has_none_of_its_new_score(
    stage: Stage, parts: Modified, score: Path
) -> None:
    score.write_text("new")
    stage.write(UpdateJob("a", {"options": {"hooks": False, "after": {}}}))
    stage.live["a"].row.options = {"hooks": False, "after": {}}
    resume(stage, parts)
    stage.answer("load", replace(parsed(), after={"on_success": [{"type": "run_job"}]}))
    assert stage.job("a").options["after"] == {}


@pytest.mark.parametrize("how", ["it is gone", "it is no text", "it is too long", "it is a place"])
def test_a_score_that_is_not_to_be_read_any_more_is_what_is_stored(
    stage: Stage, parts: Modified, score: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "it is no text":
        score.write_bytes(b"\xff\xff")
    elif how == "it is too long":
        monkeypatch.setattr(modifying, "MAX_SCORE_BYTES", 2)
    else:
        score.unlink()
        if how == "it is a place":
            score.mkdir()
    resume(stage, parts)
    assert parts.went_on == ["a"]


def test_a_job_whose_score_has_changed_goes_on_by_it(
    stage: Stage, parts: Modified, score: Path
) -> None:
    score.write_text("new")
    asked = resume(stage, parts)
    (wanted,) = stage.others.asked[-1][2:]
    assert (wanted.path, wanted.text, wanted.workspace) == (str(score), None, "/w/a")
    stage.answer("load", parsed())
    assert told(asked)["status"] == "queued"
    assert [event for _job, event in stage.disk.events] == ["job.modified", "job.resumed"]


def test_without_a_reload_what_is_stored_counts(stage: Stage, parts: Modified, score: Path) -> None:
    score.write_text("new")
    resume(stage, parts, no_reload=True)
    assert parts.went_on == ["a"]
    resume(stage, parts, no_reload=True, workspace="/elsewhere")
    (wanted,) = stage.others.asked[-1][2:]
    assert (wanted.text, wanted.workspace) == ("old", "/elsewhere")


def test_a_changed_score_of_a_job_that_runs_is_not_looked_at(
    stage: Stage, parts: Modified, score: Path
) -> None:
    stage.found("a", *WAY_IN)
    score.write_text("new")
    resume(stage, parts)
    assert parts.went_on == ["a"]


def test_a_queued_job_is_not_resumed_by_another_file(
    stage: Stage, parts: Modified, score: Path
) -> None:
    stage.write(UpdateJob("a", {"status": JobStatus.QUEUED}))
    stage.found("a")
    assert code(resume(stage, parts, config_path="/other.yaml")) == "conflict"


def test_where_it_was_said_to_work_is_where_it_goes_on(
    stage: Stage, parts: Modified, score: Path
) -> None:
    parts.note("a", workspace=Path("/elsewhere"), config_path=Path("/s/other.yaml"))
    parts.note("nobody", workspace=Path("/elsewhere"))
    assert [row.job_id for row in stage.live.working_in("/elsewhere")] == ["a"]
    resume(stage, parts)
    (wanted,) = stage.others.asked[-1][2:]
    assert (wanted.path, wanted.workspace) == ("/s/other.yaml", "/elsewhere")


def test_nobody_knows_a_stranger(stage: Stage, parts: Modified) -> None:
    assert code(resume(stage, parts)) == "not_found"
