"""A first start that was cut short, by a kill or a full disk, is a first start again."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from e2e_marianne import Marianne

from marianne.state.connection import connect_writer
from marianne.state.migrations import migrate


def _nothing(db: Path) -> None:
    db.touch(mode=0o600)


def _header_alone(db: Path) -> None:
    connect_writer(db).close()


def _lost_log(db: Path) -> None:
    """The schema stood in the write-ahead log alone, and that is gone."""
    there = db.with_name("elsewhere.db")
    connection = connect_writer(there)
    migrate(connection)
    shutil.copy(there, db)
    connection.close()


def _hot_journal(db: Path) -> None:
    """Killed while the header was turned to write-ahead logging."""
    there = db.with_name("elsewhere.db")
    connection = sqlite3.connect(there, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_spill = 1")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("CREATE TABLE half (made)")
    connection.execute("PRAGMA cache_size = 1")
    connection.executemany("INSERT INTO half VALUES (?)", [("x" * 3000,)] * 50)
    shutil.copy(there, db)
    shutil.copy(f"{there}-journal", f"{db}-journal")
    connection.close()


CUTS = {
    "an empty file": _nothing,
    "a header alone": _header_alone,
    "a lost write-ahead log": _lost_log,
    "a hot journal": _hot_journal,
}


@pytest.mark.parametrize("what", CUTS)
def test_a_half_made_database_is_set_aside_and_the_conductor_starts(
    marianne: Marianne, what: str
) -> None:
    marianne.home.mkdir(mode=0o700)
    CUTS[what](marianne.home / "state.db")
    marianne("start")
    marianne("run", marianne.score("after", "sheets: [{name: one, run: echo done}]"), "--wait")
    aside = [name for name in os.listdir(marianne.home) if name.startswith("state.db.set-aside-")]
    assert aside
    assert "state.db.set-aside-" in marianne("logs").out
