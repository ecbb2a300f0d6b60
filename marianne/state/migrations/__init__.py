"""The shape of the database, as numbered steps from an empty file.

``MIGRATIONS[n - 1]`` takes a database of version n - 1 to version n. A released step never
changes; a new shape is a new step. The version is SQLite's ``user_version``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from marianne.state.connection import connect_left
from marianne.state.errors import DatabaseTooNew
from marianne.state.migrations import (
    m0001_first,
    m0002_learning,
    m0003_asked,
    m0004_worker_link,
    m0005_schedules,
    m0006_job_names,
    m0007_node,
    m0008_work_time,
    m0009_walls,
)

Migration = Sequence[str]

MIGRATIONS: tuple[Migration, ...] = (
    m0001_first.STATEMENTS,
    m0002_learning.STATEMENTS,
    m0003_asked.STATEMENTS,
    m0004_worker_link.STATEMENTS,
    m0005_schedules.STATEMENTS,
    m0006_job_names.STATEMENTS,
    m0007_node.STATEMENTS,
    m0008_work_time.STATEMENTS,
    m0009_walls.STATEMENTS,
)


def migrate(connection: sqlite3.Connection, steps: Sequence[Migration] = MIGRATIONS) -> int:
    """Brings the database to the newest version and returns the version that it had.

    Each step is one transaction: a crash leaves the old version or the new one.
    """
    found = _known_version(connection, len(steps))
    for version in range(found + 1, len(steps) + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in steps[version - 1]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return found


def _known_version(connection: sqlite3.Connection, newest: int) -> int:
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > newest:
        raise DatabaseTooNew(
            f"the database has version {found}, this Marianne knows {newest}: "
            "use the newer Marianne that wrote it"
        )
    return found


def refuse_newer(path: Path) -> None:
    """Raises DatabaseTooNew where a conductor of this program could not begin."""
    with closing(connect_left(path)) as connection:
        _known_version(connection, len(MIGRATIONS))


def is_older(path: Path) -> bool:
    """Whether the database there has not the newest shape; a newer or damaged one says no."""
    try:
        with closing(connect_left(path)) as connection:
            found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error:
        return False
    return found < len(MIGRATIONS)
