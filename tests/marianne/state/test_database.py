"""One transaction a batch, numbered events, and nothing half done."""

import stat
from pathlib import Path

import pytest
from statekit import NOW, counts_of, event, job

from marianne.model.result import AttemptResult, ValidationOutcome
from marianne.state.changes import (
    AddAttempt,
    AddEvent,
    DeleteJob,
    DropSheets,
    GrowPlan,
    RememberReply,
    ReplacePlan,
    SaveSheet,
    SetMeta,
    UpdateJob,
)
from marianne.state.database import Database
from marianne.state.errors import (
    DuplicateAttempt,
    DuplicateRequest,
    IllegalTransition,
    JobExists,
    JobLive,
    NoSuchJob,
    Refused,
)
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus
from marianne.state.reader import Reader

RESULT = AttemptResult(
    num=2,
    attempt=1,
    outcome="failed",
    started_at=NOW,
    finished_at=NOW + 2,
    exit_code=3,
    category="validation",
    code="E201",
    message="no file",
    validations=(ValidationOutcome("file_exists", False, "out.txt"),),
    left_running=(41, 42),
    retry_after=1.5,
    peak_memory_mb=12.5,
    cpu_seconds=0.25,
    output_bytes=99,
    usage={"tokens": 7},
)


def test_a_job_comes_back_as_it_was_written(database: Database, reader: Reader) -> None:
    change = job("a", options={"vars": {"x": 1}}, config_path="/s.yaml", priority=2)
    database.write([change])
    assert reader.job("a") == change.row
    assert reader.plan("a") == b"plan"
    assert reader.score("a") == "name: x\n"
    assert reader.environment("a") == b"env"


def test_every_field_of_a_job_can_be_changed(database: Database, reader: Reader) -> None:
    database.write([job("a")])
    row = JobRow(
        job_id="a",
        name="b",
        status=JobStatus.RUNNING,
        workspace="/w",
        submitted_at=1.0,
        sheet_count=4,
        config_path="/c",
        priority=1,
        reason="person",
        started_at=2.0,
        finished_at=3.0,
        error="none",
        config_hash="h",
        crashes=1,
        worker_pid=10,
        worker_start_time=11,
        worker_boot_id="boot",
        options={"a": [1]},
    )
    fields = {name: getattr(row, name) for name in JobRow.__dataclass_fields__ if name != "job_id"}
    database.write([UpdateJob("a", fields)])
    assert reader.job("a") == row


def test_a_sheet_comes_back_as_it_was_written(database: Database, reader: Reader) -> None:
    row = SheetRow(2, SheetStatus.WAITING, 1, 1, 2, 1, 1.5, 2.5, 3, 9, "exit", "E1", "m", 7.0)
    row.validations = [{"type": "file_exists", "passed": True, "detail": ""}]
    row.left_running = [7]
    database.write([job("a"), SaveSheet("a", row)])
    assert reader.sheets("a") == [row]


def test_an_attempt_comes_back_as_it_was_written(database: Database, reader: Reader) -> None:
    plain = AttemptResult(1, 1, "completed", NOW, NOW + 1, exit_code=0)
    database.write([job("a"), AddAttempt("a", RESULT), AddAttempt("a", plain)])
    assert reader.attempts("a") == [RESULT, plain]
    assert reader.attempts("a", 2) == [RESULT]


def test_events_are_numbered_by_one_and_know_their_jobs_previous_one(database: Database) -> None:
    first = database.write([job("a"), event("a"), job("b"), event("b"), event(None), event("a")])
    second = database.write([event("b", "x", n=1)])
    assert [(e.seq, e.prev) for e in first + second] == [(1, 0), (2, 0), (3, 0), (4, 1), (5, 2)]
    assert second[0].data == {"n": 1}


def test_numbers_go_on_after_reopening(path: Path) -> None:
    with Database(path) as database:
        database.write([job("a"), event("a"), event("a")])
    with Database(path) as database:
        assert database.last_seq == 2
        assert [(e.seq, e.prev) for e in database.write([event("a")])] == [(3, 2)]


def test_a_refused_batch_leaves_nothing_behind(database: Database, reader: Reader) -> None:
    with pytest.raises(NoSuchJob):
        database.write([job("a"), event("a"), UpdateJob("nobody", {"reason": "x"})])
    assert reader.job("a") is None
    assert [e.seq for e in database.write([job("a"), event("a")])] == [1]


def test_after_a_refused_batch_the_next_one_is_numbered_on(database: Database) -> None:
    before = database.last_seq
    with pytest.raises(NoSuchJob):
        database.write([AddEvent(None, None, "daemon.tick", {}, NOW), SaveSheet("no", SheetRow(1))])
    (told,) = database.write([AddEvent(None, None, "daemon.tick", {}, NOW)])
    assert told.seq == before + 1


def test_in_a_group_a_refused_batch_is_undone_alone(database: Database, reader: Reader) -> None:
    results = database.write_many(
        [
            [job("a"), event("a")],
            [job("b"), event("b"), event("nobody")],
            [],
            [job("a")],
            [job("c"), event("c"), event("a")],
        ]
    )
    assert [type(r) for r in results] == [list, NoSuchJob, list, JobExists, list]
    assert [(e.seq, e.prev) for r in results if isinstance(r, list) for e in r] == [
        (1, 0),
        (2, 0),
        (3, 1),
    ]
    assert [v.row.job_id for v in reader.jobs().jobs] == ["c", "a"]


@pytest.mark.parametrize(
    "unfit",
    [
        event("a", text="\ud800"),
        event("a", what=object()),
        UpdateJob("a", {"reason": "\ud800"}),
        UpdateJob("a", {"crashes": 2**70}),
        UpdateJob("a", {"status": "nonsense"}),
        UpdateJob("a", {"no_such_field": 1}),
        UpdateJob("a", {"name": None}),
        UpdateJob("a", {"job_id": "b"}),
        "no change at all",
    ],
    ids=[
        "event-surrogate",
        "event-object",
        "surrogate",
        "too-big",
        "bad-status",
        "no-field",
        "null-name",
        "the-key",
        "no-change",
    ],
)
def test_what_cannot_be_stored_is_refused_and_harms_no_other(
    database: Database, reader: Reader, unfit: object
) -> None:
    database.write([job("a")])
    refused, good = database.write_many([[unfit], [event("a")]])  # type: ignore[list-item]
    assert isinstance(refused, Refused)
    assert isinstance(good, list)
    assert reader.events.last_seq() == 1


def test_an_id_is_never_used_again(database: Database, reader: Reader) -> None:
    database.write([job("a", status=JobStatus.COMPLETED), event("a")])
    database.write([DeleteJob("a")])
    assert reader.job("a") is None
    assert reader.taken("a")
    assert not reader.taken("b")
    with pytest.raises(JobExists):
        database.write([job("a")])


def test_a_deleted_job_is_gone_but_its_events_stay(database: Database, reader: Reader) -> None:
    row = SheetRow(1, SheetStatus.COMPLETED)
    database.write(
        [
            job("a", status=JobStatus.CANCELLED),
            SaveSheet("a", row),
            AddAttempt("a", RESULT),
            event("a"),
        ]
    )
    database.write([event("a", "job.cleared"), DeleteJob("a")])
    assert [e.job_id for e in reader.events.since(0)] == ["a", "a"]
    assert len(reader.events.since(0, "a")) == 2
    assert reader.size()["attempts"] == 0
    with pytest.raises(NoSuchJob):
        reader.plan("a")


def test_a_live_job_is_not_deleted(database: Database) -> None:
    database.write([job("a")])
    with pytest.raises(JobLive):
        database.write([DeleteJob("a")])


def test_an_attempt_has_one_result(database: Database, reader: Reader) -> None:
    database.write([job("a"), AddAttempt("a", RESULT)])
    with pytest.raises(DuplicateAttempt):
        database.write([AddAttempt("a", RESULT), event("a", "sheet.failed")])
    assert reader.attempts("a") == [RESULT]
    assert reader.events.last_seq() == 0


def test_a_request_acts_once(database: Database, reader: Reader) -> None:
    database.write([job("a"), RememberReply("r1", b"yes", NOW)])
    with pytest.raises(DuplicateRequest):
        database.write([job("b"), RememberReply("r1", b"no", NOW)])
    assert reader.reply("r1") == b"yes"
    assert reader.reply("r2") is None
    assert reader.job("b") is None


def test_counters_follow_the_sheets(database: Database, reader: Reader) -> None:
    database.write([job("a", 5)])
    assert counts_of(reader, "a").progress()["pending"] == 5

    def save(num: int, status: SheetStatus) -> None:
        database.write([SaveSheet("a", SheetRow(num, status))])

    save(1, SheetStatus.RUNNING)
    save(2, SheetStatus.WAITING)
    save(1, SheetStatus.COMPLETED)
    save(1, SheetStatus.COMPLETED)
    save(3, SheetStatus.RUNNING)
    counts = counts_of(reader, "a")
    assert (counts.completed, counts.running, counts.waiting, counts.pending) == (1, 1, 1, 2)
    assert counts.progress() == {
        "completed": 1,
        "failed": 0,
        "skipped": 0,
        "cancelled": 0,
        "running": 1,
        "pending": 3,
        "total": 5,
    }


def test_counters_are_right_when_a_sheet_moves_twice_in_a_batch(
    database: Database, reader: Reader
) -> None:
    running, done = SheetRow(1, SheetStatus.RUNNING), SheetRow(1, SheetStatus.COMPLETED)
    database.write([job("a"), SaveSheet("a", running), SaveSheet("a", done)])
    assert (counts_of(reader, "a").completed, counts_of(reader, "a").running) == (1, 0)


def test_a_new_plan_with_fewer_sheets_drops_the_rest(database: Database, reader: Reader) -> None:
    rows = [SheetRow(n, SheetStatus.COMPLETED) for n in (1, 2, 3)]
    database.write([job("a", 3), *(SaveSheet("a", row) for row in rows)])
    database.write([DropSheets("a", 2), ReplacePlan("a", b"new", "name: y\n", 1)])
    assert counts_of(reader, "a").progress()["completed"] == 1
    assert counts_of(reader, "a").progress()["total"] == 1
    assert reader.plan("a") == b"new"
    assert reader.score("a") == "name: y\n"
    assert [row.num for row in reader.sheets("a")] == [1]


def test_a_plan_that_grows_has_more_sheets_and_the_score_that_it_had(
    database: Database, reader: Reader
) -> None:
    database.write([job("a", 1), SaveSheet("a", SheetRow(1, SheetStatus.COMPLETED))])
    before = reader.score("a")
    database.write([GrowPlan("a", b"grown", 3)])
    progress = counts_of(reader, "a").progress()
    assert (progress["completed"], progress["pending"], progress["total"]) == (1, 2, 3)
    assert (reader.plan("a"), reader.score("a")) == (b"grown", before)


def test_an_illegal_transition_is_refused(database: Database, reader: Reader) -> None:
    done = SheetRow(1, SheetStatus.COMPLETED)
    database.write([job("a"), SaveSheet("a", done)])
    with pytest.raises(IllegalTransition, match="completed to running"):
        database.write([SaveSheet("a", SheetRow(1, SheetStatus.RUNNING))])
    with pytest.raises(IllegalTransition, match="queued to completed"):
        database.write([UpdateJob("a", {"status": JobStatus.COMPLETED})])
    assert reader.sheets("a") == [done]


def test_only_a_person_brings_a_finished_sheet_back(database: Database, reader: Reader) -> None:
    database.write([job("a"), SaveSheet("a", SheetRow(1, SheetStatus.COMPLETED))])
    again = SheetRow(1, SheetStatus.PENDING)
    with pytest.raises(IllegalTransition, match="asked=True"):
        database.write([SaveSheet("a", again)])
    database.write([SaveSheet("a", again, asked=True)])
    assert counts_of(reader, "a").pending == 3


def test_only_a_person_brings_a_finished_job_back(database: Database, reader: Reader) -> None:
    database.write([job("a", status=JobStatus.FAILED)])
    with pytest.raises(IllegalTransition):
        database.write([UpdateJob("a", {"status": JobStatus.QUEUED})])
    database.write([UpdateJob("a", {"status": JobStatus.QUEUED}, asked=True)])
    assert reader.statuses() == {JobStatus.QUEUED: 1}


def test_named_values_outlive_the_database(path: Path) -> None:
    with Database(path) as database:
        database.write([SetMeta("limit", b"1"), SetMeta("gone", b"2")])
        database.write([SetMeta("limit", b"3"), SetMeta("gone", None)])
    with Reader(path) as reader:
        assert reader.meta("limit") == b"3"
        assert reader.meta("gone") is None


def test_the_database_and_its_log_are_private(database: Database, path: Path) -> None:
    database.write([job("a")])
    files = [path, *path.parent.glob("state.db-*")]
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_submitters_environment_is_in_no_repr() -> None:
    assert "env" not in repr(job("a")).replace("environment", "")


def test_a_commit_is_synchronous_and_in_the_log(database: Database) -> None:
    pragma = database._connection.execute
    assert pragma("PRAGMA journal_mode").fetchone() == ("wal",)
    assert pragma("PRAGMA synchronous").fetchone() == (2,)
