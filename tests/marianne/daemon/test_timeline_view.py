"""job.timeline: little of each attempt, page by page; and what runs with the first page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from handler_stage import Desk, desk_in
from pydantic import ValidationError

from marianne.daemon.api.handlers import job_timeline
from marianne.daemon.views.timeline import PAGE, timeline
from marianne.model.result import AttemptResult
from marianne.state.changes import AddAttempt, SaveSheet
from marianne.state.models import SheetRow, SheetStatus


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as desk:
        desk.insert("a")
        for num, outcome in enumerate(("completed", "failed", "interrupted", "skipped"), 1):
            result = AttemptResult(num, 1, outcome, 10.0 * num, 10.0 * num + 5, peak_memory_mb=num)
            desk.write(AddAttempt("a", result))
        desk.write(SaveSheet("a", SheetRow(5, SheetStatus.RUNNING, 2, started_at=70.0)))
        yield desk


def test_each_attempt_has_a_letter_its_times_and_what_it_used(desk: Desk) -> None:
    found = timeline(desk.reader, "a", None, 0.0, PAGE)
    assert (found["total"], found["cursor"], found["outcomes"]) == (4, None, b"cfis")
    assert (found["began"], found["ended"]) == ([10, 20, 30, 40], [15, 25, 35, 45])
    assert found["memory_mb"] == [1, 2, 3, 4]
    assert (found["running"], found["running_since"]) == ([5], [70.0])


def test_pages_follow_each_other_and_only_the_first_says_what_runs(desk: Desk) -> None:
    first = job_timeline.handle(desk.call(), job_timeline.Params(job_id="a", limit=3))
    assert (first["sheets"], first["cursor"], first["running"]) == ([1, 2, 3], [3, 1], [5])
    after = job_timeline.Params(job_id="a", limit=3, after=(3, 1))
    rest = job_timeline.handle(desk.call(), after)
    assert (rest["sheets"], rest["cursor"], rest["running"]) == ([4], None, [])
    late = job_timeline.Params(job_id="a", ended_since=35.0)
    assert job_timeline.handle(desk.call(), late)["sheets"] == [3, 4]


def test_a_page_is_bounded() -> None:
    with pytest.raises(ValidationError):
        job_timeline.Params(job_id="a", limit=PAGE + 1)
