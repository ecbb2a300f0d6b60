"""A job's time at work is that in which at least one of its sheets ran."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statekit import NOW
from statekit import job as new_job

from marianne.state.changes import SaveSheet
from marianne.state.database import Database
from marianne.state.migrations import MIGRATIONS, m0008_work_time
from marianne.state.models import SheetRow, SheetStatus
from marianne.state.reader import Reader
from marianne.state.work_time import WorkTime

RUNNING, WAITING, COMPLETED = SheetStatus.RUNNING, SheetStatus.WAITING, SheetStatus.COMPLETED
Span = tuple[float, float]
spans = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 20)).map(lambda one: (one[0], one[0] + one[1])),
    max_size=12,
)


def covered(of: Iterable[Span]) -> float:
    """What the spans cover together."""
    total, end = 0.0, float("-inf")
    for begun, ended in sorted(of):
        total += max(0.0, ended - max(begun, end))
        end = max(end, ended)
    return total


def played(of: Iterable[Span]) -> WorkTime:
    """A sheet a span, told in the order of their times."""
    work = WorkTime()
    moments = [(span[0], 0, num, span) for num, span in enumerate(of, 1)]
    moments += [(span[1], 1, num, span) for num, span in enumerate(of, 1)]
    for _, ended, num, (begun, end) in sorted(moments):
        row = SheetRow(num, COMPLETED if ended else RUNNING, 1, started_at=begun)
        row.finished_at = end if ended else None
        work.saved(RUNNING if ended else SheetStatus.PENDING, row)
    return work


@settings(deadline=None)
@given(spans)
def test_what_overlaps_counts_once_and_what_lies_between_not_at_all(of: list[Span]) -> None:
    work = played(of)
    assert work.seconds == pytest.approx(covered(of))
    assert (work.running, work.since) == (0, None)


def test_one_that_is_known_late_counts_only_what_no_other_covered() -> None:
    work = WorkTime()
    for begun, ended in [(0.0, 10.0), (5.0, 15.0), (2.0, 12.0)]:
        work.saved(SheetStatus.PENDING, SheetRow(1, RUNNING, 1, started_at=begun))
        row = SheetRow(1, COMPLETED, 1, started_at=begun, finished_at=ended)
        assert work.saved(RUNNING, row)
    assert work.seconds == 15.0


def test_a_row_that_goes_on_running_or_waiting_changes_nothing() -> None:
    work = WorkTime()
    assert work.saved(SheetStatus.PENDING, SheetRow(1, RUNNING, 1, started_at=3.0))
    assert not work.saved(RUNNING, SheetRow(1, RUNNING, 1, started_at=4.0))
    assert not work.saved(WAITING, SheetRow(2, SheetStatus.PENDING))
    assert (work.running, work.since) == (1, 3.0)


def test_what_stands_still_is_not_at_work_until_it_goes_on_or_has_ended() -> None:
    work = WorkTime()
    assert not work.hold(True, 1.0), "nothing runs"
    work.saved(SheetStatus.PENDING, SheetRow(1, RUNNING, 1, started_at=0.0))
    work.saved(SheetStatus.PENDING, SheetRow(2, RUNNING, 1, started_at=5.0))
    assert [work.hold(True, 10.0), work.hold(True, 11.0)] == [True, False]
    assert (work.up_to(99.0), work.since) == (10.0, None)
    assert [work.hold(False, 100.0), work.hold(False, 101.0)] == [True, False]
    assert work.up_to(103.0) == 13.0
    work.saved(RUNNING, SheetRow(1, COMPLETED, 1, started_at=0.0, finished_at=104.0))
    work.hold(True, 110.0)
    work.saved(RUNNING, SheetRow(2, COMPLETED, 1, started_at=5.0, finished_at=200.0))
    assert (work.seconds, work.since, work.running) == (20.0, None, 0)


def test_it_is_kept_with_the_rows_that_it_follows_from(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with Database(path) as database, Reader(path) as reader:
        database.write([new_job("a", 3)])

        def save(num: int, status: SheetStatus, begun: float, ended: float | None = None) -> None:
            row = SheetRow(num, status, 1, started_at=NOW + begun)
            row.finished_at = None if ended is None else NOW + ended
            database.write([SaveSheet("a", row)])

        save(1, RUNNING, 0)
        save(2, RUNNING, 4)
        save(1, WAITING, 0, 6)
        found = reader.job("a")
        assert found is not None
        assert (found.worked, found.work_since) == (0.0, NOW)
        save(2, COMPLETED, 4, 10)
        save(3, RUNNING, 3610)
        found = reader.job("a")
        assert found is not None
        assert (found.worked, found.work_since) == (pytest.approx(10.0), NOW + 3610)


@settings(deadline=None)
@given(spans)
def test_an_older_state_learns_it_from_its_attempts(of: list[Span]) -> None:
    connection = sqlite3.connect(":memory:")
    for step in MIGRATIONS[: MIGRATIONS.index(m0008_work_time.STATEMENTS)]:
        for statement in step:
            connection.execute(statement)
    connection.execute("INSERT INTO ids VALUES (1, 'a')")
    names = "key, name, status, workspace, submitted_at, sheet_count, priority, config_hash"
    connection.execute(
        f"INSERT INTO jobs ({names}, crashes, options) "
        "VALUES (1, 'a', 'completed', '/w', 0, 1, 5, '', 0, x'80')"
    )
    connection.execute(
        "INSERT INTO sheets (job, num, status, attempt, failures, completions, fallback) "
        "VALUES (1, 1, 'completed', ?, 0, 0, 0)",
        (len(of),),
    )
    for attempt, (begun, ended) in enumerate(of, 1):
        connection.execute(
            "INSERT INTO attempts (job, num, attempt, outcome, started_at, finished_at, more) "
            "VALUES (1, 1, ?, 'failed', ?, ?, x'80')",
            (attempt, begun, ended),
        )
    for statement in m0008_work_time.STATEMENTS:
        connection.execute(statement)
    (worked, until), (alone,) = (
        connection.execute("SELECT worked, work_until FROM jobs").fetchone(),
        connection.execute("SELECT worked FROM sheets").fetchone(),
    )
    connection.close()
    assert worked == pytest.approx(covered(of))
    assert until == max((ended for _, ended in of), default=0)
    assert alone == sum(ended - begun for begun, ended in of)
