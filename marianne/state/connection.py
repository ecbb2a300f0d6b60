"""Connections to the database and the meaning of their errors."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from marianne.state.errors import DatabaseCorrupt, StateError, StoreError, StoreFull

BUSY_TIMEOUT_MS = 5_000
# Bounds the write-ahead log that stays on disk after a burst.
JOURNAL_LIMIT_BYTES = 16 * 2**20

# The low byte of an extended result code is its family.
_FULL, _IO, _CORRUPT, _NOT_A_DB = 13, 10, 11, 26
_BUSY, _LOCKED, _READONLY, _CANTOPEN, _PERM = 5, 6, 8, 14, 3


def connect_writer(path: Path) -> sqlite3.Connection:
    """Opens for writing: WAL and synchronous=FULL, so that a commit survives power loss."""
    # Made here first, so that it and the files beside it are private whatever the umask.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_LIMIT_BYTES}")
        # Savepoints of a group commit go to memory, not to a file in /tmp.
        connection.execute("PRAGMA temp_store = MEMORY")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path, *, any_thread: bool = False) -> sqlite3.Connection:
    """Opens for reading only, for one thread unless it is said that callers take turns."""
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro",
        uri=True,
        isolation_level=None,
        check_same_thread=not any_thread,
    )
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    return connection


def connect_left(path: Path) -> sqlite3.Connection:
    """Opens for reading what nobody has open for writing, also where SQLite can make no file beside
    it (a read-only file system, a full disk)."""
    connection = connect_reader(path)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
        return connection
    except sqlite3.Error:
        connection.close()
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise  # what it holds would not be seen
    return sqlite3.connect(f"file:{quote(str(path))}?immutable=1", uri=True, isolation_level=None)


class NamedErrors:
    """With it, SQLite's errors become ours, by what the person can do about them.

    A class: every read has one, and a generator costs three times as much.
    """

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: object, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, sqlite3.Error):
            raise _meaning(error, self._path) from error


class Rows:
    """What a connection for reading finds at ``path``; SQLite's errors are ours. ``left``: nobody
    writes there."""

    __slots__ = ("_connection", "_errors")

    def __init__(self, path: Path, *, any_thread: bool = False, left: bool = False) -> None:
        self._errors = NamedErrors(path)
        with self._errors:
            if left:
                self._connection = connect_left(path)
            else:
                self._connection = connect_reader(path, any_thread=any_thread)

    def all(self, sql: str, *values: object) -> list[Sequence[Any]]:
        """All rows at once: an open cursor would hold the write-ahead log."""
        with self._errors:
            return self._connection.execute(sql, values).fetchall()

    def one(self, sql: str, *values: object) -> Sequence[Any] | None:
        """The first row, or None."""
        with self._errors:
            found = self._connection.execute(sql, values).fetchall()
        return found[0] if found else None

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


def _meaning(error: sqlite3.Error, path: Path) -> StateError:
    # Errors of the module itself (a wrong statement) have no code: those are our bugs.
    code = getattr(error, "sqlite_errorcode", None)
    family = code & 0xFF if code is not None else None
    if family == _FULL:
        return StoreFull(f"the disk of {path} is full: free some space, nothing is lost")
    if family in (_CORRUPT, _NOT_A_DB):
        return DatabaseCorrupt(what_to_do(path, str(error)))
    if family in (_IO, _BUSY, _LOCKED, _READONLY, _CANTOPEN, _PERM):
        return StoreError(f"{path}: {error}")
    return StateError(f"{path}: {type(error).__name__}: {error}")


def what_to_do(path: Path, detail: str) -> str:
    """The text of DatabaseCorrupt."""
    return (
        f"{path} is damaged ({detail}). Nothing was changed. Keep a copy of it and of the files "
        f"beside it, then either save what can be read with `sqlite3 {path} .recover | sqlite3 "
        f"{path}.new` and put the new file in its place, or move all of {path}* away to start "
        "with an empty state."
    )
