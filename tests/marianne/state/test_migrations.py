"""A database that an older program wrote keeps loading; a step is taken wholly or not at all."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from statekit import counts_of

from marianne.model.result import AttemptResult, ValidationOutcome
from marianne.state.changes import AddEvent, AddOutcome, SavePattern
from marianne.state.database import Database
from marianne.state.errors import DatabaseTooNew
from marianne.state.migrations import MIGRATIONS, migrate
from marianne.state.models import JobStatus, OutcomeRow, PatternRow, SheetStatus
from marianne.state.reader import Reader

OLD = Path(__file__).parent / "data"


@pytest.fixture
def connection(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_the_first_released_database_loads_and_goes_on(path: Path) -> None:
    """The file was written by version 1 and is never written again."""
    shutil.copy(OLD / "v1.db", path)
    with Database(path) as database, Reader(path) as reader:
        job = reader.job("build-2")
        assert job is not None
        assert (job.status, job.options, job.priority) == (
            JobStatus.RUNNING,
            {"variables": {"x": 1}},
            3,
        )
        assert [(row.num, row.status) for row in reader.sheets("build-2")] == [
            (1, SheetStatus.COMPLETED),
            (2, SheetStatus.WAITING),
        ]
        assert reader.attempts("build-2", 2) == [
            AttemptResult(
                num=2,
                attempt=1,
                outcome="failed",
                started_at=1_700_000_001.0,
                finished_at=1_700_000_002.5,
                exit_code=1,
                category="validation",
                message="out.txt is missing",
                validations=(ValidationOutcome("file_exists", False, "out.txt"),),
                peak_memory_mb=12.0,
            )
        ]
        assert counts_of(reader, "build-2").progress()["total"] == 4
        assert reader.plan("build-2") == b"a plan"
        assert reader.reply("request-1") == b"a reply"
        assert reader.taken("build")
        assert [e.event for e in reader.events.since(0)] == [
            "daemon.started",
            "job.submitted",
            "sheet.completed",
        ]
        assert reader.learned.outcomes() == []
        learned = OutcomeRow("hash", "build-2", 1.0, 300.0, 2.0, 5.0)
        database.write([AddOutcome(learned), SavePattern(PatternRow("hash", "most", 1))])
        assert reader.learned.outcomes("hash") == [learned]
        (event,) = database.write([AddEvent("build-2", None, "job.started", {}, 0.0)])
        assert (event.seq, event.prev) == (4, 3)


def test_a_new_database_has_the_newest_version(path: Path) -> None:
    Database(path).close()
    with sqlite3.connect(path) as connection:
        assert version(connection) == len(MIGRATIONS)
    connection.close()


def test_only_the_missing_steps_are_taken(connection: sqlite3.Connection) -> None:
    steps = [["CREATE TABLE a (x)"], ["ALTER TABLE a ADD COLUMN y", "INSERT INTO a VALUES (1, 2)"]]
    assert migrate(connection, steps[:1]) == 0
    assert migrate(connection, steps) == 1
    assert migrate(connection, steps) == 2
    assert connection.execute("SELECT * FROM a").fetchall() == [(1, 2)]
    connection.close()


def test_a_step_that_fails_leaves_the_version_before(connection: sqlite3.Connection) -> None:
    steps = [["CREATE TABLE a (x)"], ["CREATE TABLE b (x)", "INSERT INTO nowhere VALUES (1)"]]
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        migrate(connection, steps)
    assert version(connection) == 1
    tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("a",)]
    connection.close()


def test_a_newer_version_is_refused(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA user_version = 5")
    with pytest.raises(DatabaseTooNew, match="version 5"):
        migrate(connection, [["CREATE TABLE a (x)"]])
    connection.close()
