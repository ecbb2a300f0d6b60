"""Handlers: which jobs are shown, page by page; groups, and places in the line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from handler_stage import Desk, desk_in
from pydantic import ValidationError

from ipc import codec
from marianne.daemon.api.handlers import group_add, group_list, group_remove, job_modify
from marianne.daemon.api.shown import Shown
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.views import queries
from marianne.state.changes import SetMeta, UpdateJob
from marianne.state.models import JobStatus
from marianne.state.reader import JobFilter


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as desk:
        yield desk


def test_the_name_of_a_score_means_its_newest_job_where_that_is_asked_for(desk: Desk) -> None:
    desk.insert("song", "song-2", status=JobStatus.FAILED)
    desk.write(UpdateJob("song-2", {"name": "song"}))
    for newest, meant in ((False, "song"), (True, "song-2")):
        wanted = Shown(job_id="song", newest=newest)
        assert wanted.resolve(desk.call()) == meant
        assert wanted.named(desk.call()) == meant
    assert Shown(job_id="song-", newest=True).resolve(desk.call()) == "song-2"
    with pytest.raises(Refused):
        Shown(job_id="sing", newest=True).resolve(desk.call())


def test_pages_follow_each_other_newest_first_and_count_all(desk: Desk) -> None:
    desk.insert("j0", "j1", "j2", "j3", "j4")
    desk.insert("over", status=JobStatus.FAILED)
    running = JobFilter(frozenset({JobStatus.RUNNING}))
    first = queries.page(desk.reader, running, 3, None)
    second = queries.page(desk.reader, running, 3, first["cursor"])
    names = [[job["job_id"] for job in page["jobs"]] for page in (first, second)]
    assert names == [["j4", "j3", "j2"], ["j1", "j0"]]
    assert (first["total"], second["cursor"]) == (5, None)
    every = queries.every_job(desk.reader, [JobStatus.RUNNING, JobStatus.FAILED])
    assert len(list(every)) == 6
    assert queries.page(desk.reader, JobFilter(), 1, None)["total"] == 6


@pytest.mark.parametrize(
    ("handler", "params", "message"),
    [
        (group_add, {"name": "gpu", "parallel": 2}, ("change_group", "gpu", 2, "id")),
        (group_remove, {"name": "gpu"}, ("change_group", "gpu", None, "id")),
        (
            job_modify,
            {"job_id": "a", "priority": 1},
            ("modify_job", "a", *(None,) * 3, False, "id", 1, False),
        ),
    ],
)
def test_groups_and_priorities_are_the_managers(
    desk: Desk, handler: Any, params: dict[str, Any], message: tuple[Any, ...]
) -> None:
    desk.insert("a")
    handler.handle(desk.call(), handler.Params.model_validate(params))
    assert desk.post.asked == [("manager", *message)]


@pytest.mark.parametrize(
    ("handler", "params"),
    [
        (group_add, {"name": "a b"}),
        (group_add, {"name": "gpu", "parallel": 0}),
        (job_modify, {"job_id": "a"}),
        (job_modify, {"job_id": "a", "priority": 0}),
        (job_modify, {"job_id": "a", "priority": 1, "score": "x"}),
        (job_modify, {"job_id": "a", "priority": 1, "dry_run": True}),
    ],
)
def test_what_is_no_group_and_no_priority_is_refused(handler: Any, params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        handler.Params.model_validate(params)


def test_the_groups_are_listed_by_what_is_on_disk(desk: Desk) -> None:
    desk.insert("runs", status=JobStatus.RUNNING)
    desk.insert("waits", "other", status=JobStatus.QUEUED)
    for job_id in ("runs", "waits"):
        desk.write(UpdateJob(job_id, {"options": {"group": "gpu"}}))
    desk.write(SetMeta("group/gpu", codec.pack(2)), SetMeta("group/a", codec.pack(1)))
    assert group_list.handle(desk.call(), None) == {
        "groups": [
            {"name": "a", "parallel": 1, "running": 0, "waiting": 0},
            {"name": "gpu", "parallel": 2, "running": 1, "waiting": 1},
        ]
    }
