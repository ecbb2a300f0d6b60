"""Power loss: the database as a disk would have it, opened and compared with what was promised.

The conductor is stopped (SIGSTOP) for the moment of the copy, so the files are those of one
instant. What the disk has for sure is the log up to the last commit that was acknowledged; of what
was written after it the disk may have any part.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from marianne.state.database import Database

if TYPE_CHECKING:
    from crash_clients import Ack

_HEADER, _FRAME = 32, 24


@dataclass(frozen=True)
class Mark:
    """Where a write-ahead log ended: ``salt`` tells its generation, ``end`` is in bytes."""

    salt: bytes
    end: int


def wal_mark(db: Path) -> Mark | None:
    """The end of the log's last whole commit; None when there is no log."""
    try:
        with open(f"{db}-wal", "rb", buffering=0) as wal:
            header = wal.read(_HEADER)
            if len(header) < _HEADER:
                return None
            page, salt = struct.unpack(">I", header[8:12])[0], header[16:24]
            at = end = _HEADER
            while len(frame := os.pread(wal.fileno(), _FRAME, at)) == _FRAME:
                if frame[8:16] != salt:
                    break
                at += _FRAME + page
                if struct.unpack(">I", frame[4:8])[0]:  # a commit: the size of the database
                    end = at
            return Mark(salt, end)
    except FileNotFoundError:
        return None


class Outage:
    """Copies of one moment, and how they look after a power loss at it."""

    def __init__(self, place: Path, db: Path, conductor: int, last: Mark | None) -> None:
        self._place = place
        self._last = last
        place.mkdir(parents=True)
        os.kill(conductor, signal.SIGSTOP)
        try:
            for suffix in ("", "-wal"):
                if os.path.exists(f"{db}{suffix}"):
                    shutil.copyfile(f"{db}{suffix}", place / f"state.db{suffix}")
        finally:
            os.kill(conductor, signal.SIGCONT)

    def check(self, acks: Iterable[Ack], random: Random, cuts: int) -> list[str]:
        """What is missing after the cut at the last promise and at later bytes; then removes the
        copies."""
        acks = tuple(acks)
        wrong: list[str] = []
        log = self._place / "state.db-wal"
        whole = log.read_bytes() if log.exists() else b""
        now = wal_mark(self._place / "state.db")
        # A log that began anew since the promise: the promise is in the database itself.
        same = now is not None and self._last is not None and now.salt == self._last.salt
        least = self._last.end if same and self._last is not None else _HEADER if now else 0
        lengths = [least, len(whole)]
        lengths += [random.randint(least, max(least, len(whole))) for _ in range(cuts)]
        for number, length in enumerate(lengths):
            folder = self._place / f"cut-{number}"
            folder.mkdir()
            shutil.copyfile(self._place / "state.db", folder / "state.db")
            if whole:
                (folder / "state.db-wal").write_bytes(whole[:length])
            wrong += [f"log cut at {length} of {len(whole)}: {text}" for text in lost(folder, acks)]
        shutil.rmtree(self._place)
        return wrong


def lost(folder: Path, acks: Iterable[Ack]) -> list[str]:
    """Opens the database as a conductor would, then looks for every promise."""
    try:
        Database(folder / "state.db").close()
    except Exception as error:  # noqa: BLE001 - any is a finding
        return [f"cannot be opened: {error!r}"]
    connection = sqlite3.connect(folder / "state.db")
    try:
        return missing(connection, acks)
    finally:
        connection.close()


def missing(connection: sqlite3.Connection, acks: Iterable[Ack]) -> list[str]:
    """Promises that the database does not know: the job's row and the remembered reply."""
    jobs = {row[0] for row in connection.execute("SELECT job_id FROM ids JOIN jobs USING (key)")}
    replies = {row[0] for row in connection.execute("SELECT request_id FROM replies")}
    wrong = []
    for ack in acks:
        if ack.job_id not in jobs:
            wrong.append(f"{ack.verb} of {ack.job_id} was acknowledged, the job is not there")
        own = ack.request if ack.verb in ("submit", "retry") else f"{ack.request}/{ack.job_id}"
        if own not in replies:
            wrong.append(f"{ack.verb} of {ack.job_id} was acknowledged, its reply is not there")
    return wrong
