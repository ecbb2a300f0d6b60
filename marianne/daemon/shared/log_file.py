"""The file that the conductor's log is written to: bounded, by renaming a full one.

``conductor.log`` is the present one, ``conductor.log.1`` the one before, up to ``.3``. There is one
writer, who holds the lock of the home; whoever follows the log goes on at the new file by its name.
What a restart finds: a file that is full is put away at the next line.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

LIMIT = 16 * 2**20
"""Bytes of one file."""

OLDER = 3
"""Full files that are kept."""

PATIENCE = 2**20
"""Bytes until putting a full file away is tried again, where the directory is not as it should."""


def older(path: Path, number: int) -> Path:
    """The name of a full one; 1 is the newest."""
    return path.with_name(f"{path.name}.{number}")


class LogFile:
    """Lines are appended (mode 0600). Not for several threads: structlog's logger has a lock."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self._path = path
        self._limit = self._full = limit
        self._fd = self._open()
        self._size = os.fstat(self._fd).st_size

    def write(self, text: str) -> None:
        """Appends it. OSError where the disk does not take it."""
        data = text.encode("utf-8", "backslashreplace")
        if self._size >= self._full:
            self._put_away()
        self._size += os.write(self._fd, data)

    def flush(self) -> None:
        """Nothing is held back."""

    def reopen(self) -> None:
        """Goes on in what has the name now. OSError where that cannot be opened."""
        fresh = self._open()
        os.close(self._fd)
        self._fd, self._full = fresh, self._limit
        self._size = os.fstat(fresh).st_size

    def close(self) -> None:
        """Writes nothing more."""
        os.close(self._fd)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _put_away(self) -> None:
        """Makes the file the newest of the older ones; where that cannot be done, goes on in it."""
        try:
            for number in range(OLDER - 1, 0, -1):
                with suppress(FileNotFoundError):
                    os.replace(older(self._path, number), older(self._path, number + 1))
            with suppress(FileNotFoundError):  # somebody else has put it away
                os.replace(self._path, older(self._path, 1))
            self.reopen()
        except OSError:
            self._full = self._size + PATIENCE
