"""What is too old or too much is forgotten, in small steps, and never of a live job."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from statekit import NOW, event, job

from marianne.state import event_log, retention
from marianne.state.changes import AddOutcome, RememberReply, SavePattern
from marianne.state.database import Database
from marianne.state.models import JobStatus, OutcomeRow, PatternRow
from marianne.state.reader import Reader
from marianne.state.retention import RetentionPolicy

FOR_EVER = RetentionPolicy(reply_age=1e9)
ALL = RetentionPolicy(events_from=10**9)


def seqs(reader: Reader) -> Sequence[int]:
    return [e.seq for e in reader.events.since(0)]


def test_events_go_by_age_except_those_of_live_jobs(database: Database, reader: Reader) -> None:
    database.write([job("done", status=JobStatus.COMPLETED), job("live", status=JobStatus.PAUSED)])
    database.write([event("done"), event("live"), event(None), event("done", ts=NOW + 100)])
    assert reader.events.first_since(NOW) == 1
    assert reader.events.first_since(NOW + 200) == 5, "past the last one"
    kept = database.retain(RetentionPolicy(reader.events.first_since(NOW + 10)), NOW + 60)
    assert seqs(reader) == [2, 4]
    assert (kept.events, kept.more) == (2, False)


def test_events_go_by_size_oldest_first(database: Database, reader: Reader) -> None:
    database.write([job("done", status=JobStatus.FAILED)])
    database.write([event("done", text="x" * 1000) for _ in range(10)])
    assert reader.events.oldest_within(35_000) == 0
    database.retain(RetentionPolicy(reader.events.oldest_within(3500)), NOW)
    assert seqs(reader) == [8, 9, 10]


@pytest.mark.parametrize("together", [1, 2, 3, 100])
def test_the_size_is_summed_up_part_by_part(
    database: Database, reader: Reader, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(event_log, "_TOGETHER", together)
    assert reader.events.oldest_within(0) == 0
    database.write([event(None, text="x" * 1000) for _ in range(7)])
    database.retain(RetentionPolicy(3), NOW)
    assert [reader.events.oldest_within(limit) for limit in (0, 3500, 5000, 6000)] == [8, 5, 4, 0]


def test_an_event_over_the_limit_alone_goes_too(database: Database, reader: Reader) -> None:
    database.write([event(None, text="x" * 1000)])
    database.retain(RetentionPolicy(reader.events.oldest_within(10)), NOW)
    assert seqs(reader) == []


def test_what_keeps_the_writers_waiting_is_a_step_however_many_events_there_are(
    database: Database,
) -> None:
    """No look at all events is made in the transaction: of a million it takes seconds."""
    plan = database._connection.execute(
        f"EXPLAIN QUERY PLAN SELECT seq FROM events WHERE seq < ? AND {retention._NOT_LIVE} "
        "ORDER BY seq LIMIT ?",
        (5, 5),
    ).fetchall()
    assert not [row for row in plan if "SCAN" in row[-1]]
    said: list[str] = []
    database._connection.set_trace_callback(said.append)
    database.retain(ALL, NOW)
    assert not [text for text in said if "FROM events" in text and "LIMIT" not in text]


def test_numbers_grow_even_when_all_events_are_forgotten(path: Path) -> None:
    with Database(path) as database:
        database.write([event(None), event(None)])
        database.retain(ALL, NOW + 10)
    with Database(path) as database:
        assert [e.seq for e in database.write([event(None)])] == [3]


def test_a_jobs_chain_of_events_goes_on_over_retention(database: Database) -> None:
    database.write([job("a", status=JobStatus.COMPLETED), event("a")])
    database.retain(ALL, NOW + 10)
    assert [(e.seq, e.prev) for e in database.write([event("a")])] == [(2, 1)]


def test_replies_go_by_age(database: Database, reader: Reader) -> None:
    database.write([RememberReply("old", b"1", NOW), RememberReply("new", b"2", NOW + 50)])
    kept = database.retain(RetentionPolicy(reply_age=20), NOW + 60)
    assert kept.replies == 1
    assert reader.reply("old") is None
    assert reader.reply("new") == b"2"


def test_without_limits_everything_stays(database: Database, reader: Reader) -> None:
    database.write([event(None)])
    kept = database.retain(FOR_EVER, NOW * 2)
    assert (kept.events, kept.replies, kept.more) == (0, 0, False)
    assert seqs(reader) == [1]


def test_one_call_forgets_a_bounded_number(
    database: Database, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STEP", 10)
    database.write([event(None) for _ in range(25)])
    calls = []
    while not calls or calls[-1].more:
        calls.append(database.retain(ALL, NOW + 10))
    assert [call.events for call in calls] == [10, 10, 5]
    assert seqs(reader) == []


def test_the_file_gets_smaller_again(database: Database, path: Path) -> None:
    database.write([event(None, text="x" * 1000) for _ in range(3000)])
    database._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    before = path.stat().st_size
    while database.retain(ALL, NOW + 10).more:
        pass
    database._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert path.stat().st_size < before / 4


def test_of_lessons_the_configurations_that_ran_last_stay(
    database: Database, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CONFIGURATIONS_KEPT", 2)
    for name in ("a", "b", "c", "a"):
        outcome = OutcomeRow(name, "job", NOW, 1.0, 1.0, 1.0)
        database.write([AddOutcome(outcome), SavePattern(PatternRow(name, "most"))])
    database.retain(FOR_EVER, NOW)
    assert [row.config_hash for row in reader.learned.outcomes()] == ["a", "c", "a"]
    assert [row.config_hash for row in reader.learned.patterns()] == ["a", "c"]


def test_of_one_configuration_the_newest_twenty_outcomes_stay(
    database: Database, reader: Reader
) -> None:
    outcomes = [OutcomeRow("a", f"job{n}", NOW, 1.0, 1.0, 1.0) for n in range(25)]
    database.write([AddOutcome(OutcomeRow("b", "other", NOW, 1.0, 1.0, 1.0))])
    for outcome in outcomes:
        database.write([AddOutcome(outcome)])
    assert reader.learned.outcomes("a") == outcomes[:4:-1]
    assert len(reader.learned.outcomes("b")) == 1
