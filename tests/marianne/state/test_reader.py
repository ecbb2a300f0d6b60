"""What can be asked of the state, and that asking never waits for the writer."""

import shutil
from pathlib import Path

import pytest
from statekit import NOW, event, job

from marianne.model.result import AttemptResult
from marianne.state.changes import AddAttempt, DeleteJob, SaveSheet, UpdateJob
from marianne.state.database import Database
from marianne.state.errors import AmbiguousJob, NoSuchJob, StateError
from marianne.state.migrations import is_older
from marianne.state.models import JobStatus, SheetRow, SheetStatus
from marianne.state.reader import JobFilter, Reader


def ids(reader: Reader, **only: object) -> list[str]:
    return [view.row.job_id for view in reader.jobs(JobFilter(**only)).jobs]  # type: ignore[arg-type]


def test_jobs_come_in_pages_newest_first(database: Database, reader: Reader) -> None:
    database.write([job(f"j{n}") for n in range(5)])
    first = reader.jobs(limit=2)
    second = reader.jobs(limit=2, cursor=first.cursor)
    third = reader.jobs(limit=2, cursor=second.cursor)
    pages = [[view.row.job_id for view in page.jobs] for page in (first, second, third)]
    assert pages == [["j4", "j3"], ["j2", "j1"], ["j0"]]
    assert third.cursor is None


def test_a_full_last_page_has_no_cursor(database: Database, reader: Reader) -> None:
    database.write([job("a"), job("b")])
    assert reader.jobs(limit=2).cursor is None


def test_jobs_are_found_by_status_and_by_file(database: Database, reader: Reader) -> None:
    database.write(
        [
            job("a", status=JobStatus.RUNNING, config_path="/x"),
            job("b", status=JobStatus.FAILED, config_path="/x"),
            job("c", status=JobStatus.PAUSED, config_path="/y", submitted_at=NOW - 10),
        ]
    )
    assert ids(reader, statuses=frozenset({JobStatus.RUNNING, JobStatus.PAUSED})) == ["c", "a"]
    assert ids(reader, config_path="/x") == ["b", "a"]
    assert ids(reader, statuses=frozenset({JobStatus.FAILED}), config_path="/y") == []
    assert ids(reader, name="b") == ["b"]
    assert reader.statuses(JobFilter(config_path="/x")) == {
        JobStatus.RUNNING: 1,
        JobStatus.FAILED: 1,
    }
    assert ids(reader, submitted_before=NOW) == ["c"]
    assert [row.job_id for row in reader.live_jobs()] == ["a", "c"]


def test_a_list_shows_progress_without_looking_at_sheets(
    database: Database, reader: Reader
) -> None:
    database.write([job("a", 4), SaveSheet("a", SheetRow(2, SheetStatus.RUNNING))])
    (view,) = reader.jobs().jobs
    assert (view.counts.running, view.counts.pending) == (1, 3)
    assert reader.view("a") == view
    assert reader.view("b") is None


def test_the_name_of_a_score_means_its_newest_job(database: Database, reader: Reader) -> None:
    database.write(
        [job("my-song", name="my song"), job("my-song-2", name="my song"), job("own", name="x")]
    )
    assert reader.newest("my-song") == reader.newest("my song") == "my-song-2"
    assert reader.newest("my-song-2") == "my-song-2"
    assert reader.newest("own") == reader.newest("x") == "own", "an id that somebody chose"
    assert reader.newest("my") is None
    database.write([UpdateJob("my-song", {"status": JobStatus.FAILED}), DeleteJob("my-song")])
    assert reader.newest("my song") == "my-song-2"
    assert reader.newest("my-song") is None


def test_an_exact_id_wins_over_a_prefix(database: Database, reader: Reader) -> None:
    database.write([job("build"), job("build-2"), job("deploy")])
    assert reader.resolve("build") == "build"
    assert reader.resolve("dep") == "deploy"
    with pytest.raises(AmbiguousJob) as caught:
        reader.resolve("bui")
    assert caught.value.candidates == ["build", "build-2"]
    for nobody in ("x", "", "deploy-1", "%", "_uild"):
        with pytest.raises(NoSuchJob):
            reader.resolve(nobody)


def test_a_score_whose_name_cannot_be_an_id_is_found_by_its_name(
    database: Database, reader: Reader
) -> None:
    database.write([job("n-code", name="ünïcode"), job("n-code-2", name="ünïcode"), job("x")])
    assert reader.resolve("ünïcode") == "n-code"
    for nobody in ("unicode", "ünïcodes", "énöcode", "ünïc"):
        with pytest.raises(NoSuchJob):
            reader.resolve(nobody)


def test_only_touched_sheets_have_rows(database: Database, reader: Reader) -> None:
    database.write([job("a", 100), *(SaveSheet("a", SheetRow(n)) for n in (3, 50, 99))])
    assert [row.num for row in reader.sheets("a")] == [3, 50, 99]
    assert [row.num for row in reader.sheets("a", 4, 98)] == [50]


def test_attempts_come_newest_first_and_bounded(database: Database, reader: Reader) -> None:
    results = [AttemptResult(1, n, "failed", NOW + n, NOW + n + 1) for n in (1, 2, 3)]
    database.write([job("a"), *(AddAttempt("a", result) for result in results)])
    assert [r.attempt for r in reader.attempts("a", 1, limit=2)] == [3, 2]


def test_events_of_all_or_of_one_job_after_a_number(database: Database, reader: Reader) -> None:
    database.write([job("a"), job("b"), event("a"), event("b"), event(None, "daemon.started")])
    database.write([event("a", "job.started")])
    assert [e.seq for e in reader.events.since(1)] == [2, 3, 4]
    assert [(e.seq, e.prev) for e in reader.events.since(0, "a")] == [(1, 0), (4, 1)]
    assert [e.seq for e in reader.events.since(0, limit=2)] == [1, 2]
    assert reader.events.since(2, limit=1)[0].event == "daemon.started"
    with pytest.raises(NoSuchJob):
        reader.events.since(0, "nobody")


@pytest.mark.parametrize("ask", ["plan", "score", "environment", "sheets", "attempts"])
def test_asking_about_an_unknown_job_says_so(reader: Reader, ask: str) -> None:
    with pytest.raises(NoSuchJob, match="nobody"):
        getattr(reader, ask)("nobody")


def test_a_reader_never_writes(reader: Reader) -> None:
    with pytest.raises(StateError):
        reader._rows.all("DELETE FROM jobs")


def test_a_reader_sees_commits_at_once_and_blocks_nobody(
    database: Database, reader: Reader, path: Path
) -> None:
    database.write([job("a")])
    with Reader(path) as other:
        for n in range(50):
            database.write([UpdateJob("a", {"reason": str(n)})])
            for each in (reader, other):
                found = each.job("a")
                assert found is not None
                assert found.reason == str(n)


def test_finished_jobs_beyond_the_newest_expire(database: Database, reader: Reader) -> None:
    for n in range(6):
        status = JobStatus.RUNNING if n == 1 else JobStatus.COMPLETED
        database.write([job(f"j{n}", status=status, finished_at=NOW + n)])
    assert reader.expired_jobs(keep=3) == ["j0", "j2"]
    assert reader.expired_jobs(keep=10, finished_before=NOW + 3) == ["j0", "j2"]
    assert reader.expired_jobs(keep=10) == []


def test_the_newest_are_those_that_ended_last_whenever_they_came_and_whatever_the_clock_says(
    database: Database, reader: Reader
) -> None:
    """One that ran for weeks is not forgotten in the second in which it ends."""
    done = {"status": JobStatus.COMPLETED}
    database.write([job("long", status=JobStatus.RUNNING)])
    for n in range(3):
        database.write([job(f"j{n}", **done, finished_at=NOW + 1e9), event(f"j{n}")])
    database.write([UpdateJob("long", {**done, "finished_at": NOW}), event("long")])
    assert reader.expired_jobs(keep=2) == ["j0", "j1"]


def test_the_size_is_told(database: Database, reader: Reader) -> None:
    database.write([job("a"), event("a")])
    size = reader.size()
    assert size["bytes"] > 4096
    assert (size["jobs"], size["events"], size["attempts"], size["replies"]) == (1, 1, 0, 0)


def test_a_name_means_the_only_job_of_its_score_where_none_has_the_id_made_of_it(
    database: Database, reader: Reader
) -> None:
    database.write([job("n-code-2", name="ünïcode"), job("mine", name="énöcode")])
    assert reader.resolve("ünïcode") == "n-code-2"
    assert reader.resolve("énöcode") == "mine"
    database.write([job("n-code-3", name="ünïcode")])
    with pytest.raises(AmbiguousJob, match="n-code-2"):
        reader.resolve("ünïcode")


@pytest.mark.parametrize("ended", [True, False])
def test_what_was_left_is_read_where_no_file_can_be_made_beside_it(
    path: Path, tmp_path: Path, ended: bool
) -> None:
    """As on a read-only file system or a full disk; also what stands in the log alone."""
    left = tmp_path / "left" / path.name
    left.parent.mkdir()
    database = Database(path)
    database.write([job("a")])
    if ended:
        database.close()
    for file in path.parent.glob(f"{path.name}*"):
        shutil.copy(file, left.parent)
    database.close()
    shm = left.with_name(f"{path.name}-shm")
    shm.unlink(missing_ok=True)
    shm.mkdir()
    with Reader(left, left=True) as reader:
        assert ids(reader) == ["a"]
    assert is_older(left) is False
