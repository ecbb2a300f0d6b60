"""Which jobs are shown: the newest of a score, and lists page by page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from handler_stage import Desk, desk_in

from marianne.daemon.api.shown import Shown
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.views import queries
from marianne.state.changes import UpdateJob
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
