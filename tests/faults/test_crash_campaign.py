"""The short form of ``scripts/chaos crash``, and the proof that its looks are not blind."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "chaos_parts"))

from crash_campaign import Campaign, Plan
from crash_checks import Witness
from crash_clients import Ack, Ledger
from crash_power import Outage, wal_mark

from ipc import codec
from marianne.state.changes import AddEvent, InsertJob, RememberReply
from marianne.state.database import Database
from marianne.state.models import JobRow, JobStatus

pytestmark = pytest.mark.slow


def test_a_short_campaign_finds_nothing_wrong(tmp_path: Path) -> None:
    plan = Plan(kills=4, seed=5, clients=2, live=2, sheets=6, longest=0.5, outage=3, cuts=2)
    report = Campaign(tmp_path, plan).run()
    assert report.wrong == []
    assert report.kinds.total() == 4
    assert report.acks > 0 < report.outages


def _submit(database: Database, name: str) -> Ack:
    row = JobRow(name, name, JobStatus.QUEUED, "/w", 1.0, 1)
    database.write(
        [
            InsertJob(row, b"", "", b""),
            AddEvent(name, None, "job.submitted", {}, 1.0),
            RememberReply(f"r-{name}", codec.pack({}), 1.0),
        ]
    )
    return Ack("submit", name, f"r-{name}")


@pytest.fixture
def sleeper() -> int:
    """The outage stops and continues the writer: here nobody that would notice."""
    import os

    child = os.fork()
    if child == 0:
        import signal

        signal.pause()
    return child


def test_an_outage_keeps_what_was_promised_and_sees_what_was_not_kept(
    tmp_path: Path, sleeper: int
) -> None:
    import os
    import signal

    db = tmp_path / "state.db"
    try:
        with Database(db) as database:
            acks = [_submit(database, "first")]
            promised = wal_mark(db)
            later = _submit(database, "second")
            outage = Outage(tmp_path / "one", db, sleeper, promised)
            assert outage.check(acks, Random(1), cuts=5) == []
            outage = Outage(tmp_path / "two", db, sleeper, promised)
            found = outage.check([*acks, later], Random(1), cuts=0)
            assert len(found) == 2
            assert "second" in found[0]
    finally:
        os.kill(sleeper, signal.SIGKILL)
        os.waitpid(sleeper, 0)


def test_the_witness_sees_what_was_taken_back(tmp_path: Path) -> None:
    db = tmp_path / "state.db"
    ledger = Ledger(db)
    witness = Witness(tmp_path, db, ledger)
    with Database(db) as database:
        for name in ("a", "b", "c"):
            ledger.acks.append(_submit(database, name))
        assert witness.look() == []
    connection = sqlite3.connect(db, isolation_level=None)
    connection.execute("INSERT INTO events VALUES (5, 0, 1.0, NULL, NULL, 'daemon.started', NULL)")
    connection.execute("UPDATE jobs SET status = 'completed' WHERE key = 1")
    connection.execute("DELETE FROM replies WHERE request_id = 'r-c'")
    connection.close()
    found = " | ".join(witness.look())
    assert "event 3 is followed by 5" in found
    assert "a is completed with 0 of 1 sheets done" in found
    assert "submit of c was acknowledged, its reply is not there" in found
