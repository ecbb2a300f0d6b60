"""Whether the database can be written, for those who decide by it without asking."""

from __future__ import annotations

import os
import time
from pathlib import Path

from marianne.daemon.shared.refusal import Refused
from marianne.run.holders import identity

RESERVE = 2 * 2**20
"""Free bytes below which nothing new is begun: the rest is for what runs to come to its end."""

BALLAST = 256 * 1024
"""Bytes of a file that is given up when a conductor has to start on a full disk: opening the
database takes some, and a conductor that cannot start cannot say why."""

FILES_RESERVE = 100
"""Free inodes, likewise, on file systems that count them."""

LOOK_EVERY = 0.1
"""Seconds for which a disk in which all was well is not looked at again."""


class Storage:
    """What the store found at its last commit. Safe to read from any thread.

    While there is a ``problem`` (words for a person, set by the store alone) nothing new is
    accepted and no sheet is started; what runs goes on and waits for its commit.
    ``files_bytes`` is what the jobs' directories held at the last look; None before the first.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._db: Path | None = None
        self._db_mark: tuple[int, int] | None = None
        self._ballast = place / "ballast"
        self._next_look = 0.0
        self.problem: str | None = None
        self.files_bytes: int | None = None

    def words(self) -> str | None:
        """What keeps the conductor from beginning anything new, as it is now."""
        return self.problem or self.low()

    def watch(self, db: Path) -> None:
        """From now on says so when the file at ``db`` is another than now, or none."""
        self._db, self._db_mark = db, identity(db)

    def low(self) -> str | None:
        """Words for a disk that is nearly full, or a database that is lost; None when all is well.

        What is committed to a file without a name is gone with the conductor.
        """
        now = time.monotonic()
        if now < self._next_look:
            return None
        words = self._look()
        if words is None:
            self._next_look = now + LOOK_EVERY
        return words

    def _look(self) -> str | None:
        if self._db is not None and identity(self._db) != self._db_mark:
            return (
                f"{self._db} was removed or replaced while the conductor runs: bring the old file "
                "back to its place; what is committed meanwhile is lost with a stop"
            )
        try:
            there = os.statvfs(self._place)
        except OSError as error:
            return f"the disk of {self._place} cannot be looked at: {error.strerror}"
        blocks = there.f_bavail if os.geteuid() else there.f_bfree
        free = blocks * there.f_frsize
        if free < RESERVE:
            return f"the disk of {self._place} is full: {free >> 10} KiB are free"
        if there.f_files > 0 and there.f_ffree < FILES_RESERVE:
            return f"the disk of {self._place} is full: {there.f_ffree} more files fit"
        return None

    def load_ballast(self) -> None:
        """Takes the ballast on while there is space."""
        if self.low() is not None or self._ballast.exists():
            return
        try:
            descriptor = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, BALLAST)
            finally:
                os.close(descriptor)
        except OSError:
            self._ballast.unlink(missing_ok=True)

    def drop_ballast(self) -> None:
        """Gives it up if the disk is full."""
        if self.low() is not None:
            self._ballast.unlink(missing_ok=True)

    def check(self) -> None:
        """Refuses while there is a problem: nothing could be kept, so nothing is begun."""
        words = self.words()
        if words is not None:
            raise refused(words)


def refused(problem: str) -> Refused:
    """The coded error for a write that cannot be done: a person hears of it at once."""
    return Refused(
        "pressure",
        f"the state cannot be written: {problem}",
        hint="nothing is lost; jobs go on by themselves once it can be written again",
        data={"retry_after": 1.0},
    )
