"""Making the database, so that there is a whole one or none, whatever interrupts it.

It is built under another name, written through to the disk, and only then gets its own, by a link
that replaces nothing. A start that was killed before that, or found the disk full, is a first start
again; one that was killed after it has a database that needs no write-ahead log to be one.

A file of the right name that holds nothing (an earlier version made it in place) is recognised by
what is in it. It is set aside, never removed and never one in which anything of ours stands.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from marianne.records import dataclass
from marianne.state.connection import NamedErrors, connect_writer
from marianne.state.errors import StoreError
from marianne.state.migrations import migrate

MAKING = ".making"
ASIDE = ".set-aside-"
"""What is put behind the name of a file that is not used."""

_BESIDE = ("-wal", "-shm", "-journal")
_MAGIC = b"SQLite format 3\x00"
# Where the file format keeps SQLite's user_version, our number of migrations.
_VERSION = slice(60, 64)


@dataclass(frozen=True, slots=True)
class Settled:
    """``made``: there was no database, so there is an empty one. ``aside`` is where the file lies
    that was in its place and held nothing; None if there was none."""

    made: bool = False
    aside: Path | None = None


def settle(path: Path) -> Settled:
    """Sees to it that there is a whole database at ``path``; for the lock's holder alone.

    A file that is no database is left for :class:`~marianne.state.database.Database` to refuse.
    Raises StoreError or StoreFull when none can be made; then nothing of it is left.
    """
    try:
        head = _head(path)
        if head is not None and not _holds_nothing(path, head):
            making = path.with_name(path.name + MAKING)
            if os.path.lexists(making):
                _remove(making)
            return Settled()
        aside = _set_aside(path)
        _make(path)
    except OSError as error:
        raise StoreError(f"cannot make {path}: {error.strerror}") from error
    return Settled(True, aside)


def _head(path: Path) -> bytes | None:
    """The file's first hundred bytes; None where no file is."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        if path.is_symlink():
            raise StoreError(
                f"{path} is a link to {os.readlink(path)}, which is not there: bring that back, or "
                "remove the link to start with an empty state"
            ) from None
        return None
    try:
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


def _holds_nothing(path: Path, head: bytes) -> bool:
    if not head:
        return True  # not asked of SQLite, which would remove the log beside an empty file
    if any(head[_VERSION]):
        return False
    if not head.startswith(_MAGIC) and not os.path.lexists(f"{path}-journal"):
        return not any(head) and _is_blank(path)
    # What the log holds counts too: SQLite reads both, and takes back what was half written.
    with NamedErrors(path):
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        finally:
            connection.close()
    return bool(tables == 0)


def _is_blank(path: Path) -> bool:
    """Whether all of it is zero bytes: space that was given to a file before what it was for."""
    with path.open("rb") as file:
        return all(not any(part) for part in iter(lambda: file.read(1 << 20), b""))


def _set_aside(path: Path) -> Path | None:
    """Gives the file, and what belongs to it, other names; the log of one that is gone too."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    there = path.with_name(f"{path.name}{ASIDE}{stamp}")
    number = 1
    while any(os.path.lexists(f"{there}{end}") for end in ("", *_BESIDE)):
        number += 1
        there = path.with_name(f"{path.name}{ASIDE}{stamp}-{number}")
    found = False
    # The database last: one without its log is none, and would be taken for what this leaves.
    for end in (*_BESIDE, ""):
        try:
            os.rename(f"{path}{end}", f"{there}{end}")
        except FileNotFoundError:
            continue
        found = True
    return there if found else None


def _make(path: Path) -> None:
    making = path.with_name(path.name + MAKING)
    _remove(making)
    try:
        with NamedErrors(path):
            connection = connect_writer(making)
            try:
                migrate(connection)
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.close()
        _write_through(making)
        os.link(making, path)
        _write_through(path.parent)
    finally:
        _remove(making)


def _remove(making: Path) -> None:
    for end in ("", *_BESIDE):
        Path(f"{making}{end}").unlink(missing_ok=True)


def _write_through(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
