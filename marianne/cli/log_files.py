"""The conductor's log as it lies in the home: its files, and the heart's words beside them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import TextIO

_STAMPED = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]+Z) (\w+) (\d+): (.*)")


class Tail:
    """What is new in a file that may be put away and made again; the first look finds all of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._pending = ""
        self.read: set[tuple[int, int]] = set()
        """Device and inode of each file that was looked at."""

    def new(self) -> list[str]:
        """Whole lines that came since the last look; none where there is no file."""
        lines: list[str] = []
        while self._file is not None or self._open():
            lines += self._whole()
            if not self._replaced():
                break
            lines += self._whole()  # what came before it was put away
            if self._pending:
                lines.append(self._pending)
            self.close()
        return lines

    def close(self) -> None:
        """The file is let go; a further look begins at the start of what is there then."""
        if self._file is not None:
            self._file.close()
        self._file, self._pending = None, ""

    def _open(self) -> bool:
        try:
            self._file = self._path.open(encoding="utf-8", errors="replace", newline="\n")
        except FileNotFoundError:
            return False
        self.read.add(_which(os.fstat(self._file.fileno())))
        return True

    def _whole(self) -> list[str]:
        assert self._file is not None
        *whole, self._pending = (self._pending + self._file.read()).split("\n")
        return whole

    def _replaced(self) -> bool:
        """Whether the path is another file now, or was cut."""
        assert self._file is not None
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return False
        ours = os.fstat(self._file.fileno())
        return _which(there) != _which(ours) or there.st_size < self._file.tell()


def _which(info: os.stat_result) -> tuple[int, int]:
    return info.st_dev, info.st_ino


def put_away(path: Path, read: set[tuple[int, int]]) -> Iterator[list[str]]:
    """The lines of the files that were full before, the newest file first, but for those ``read``.
    One that is just being renamed is passed over."""
    for number in count(1):
        try:
            with path.with_name(f"{path.name}.{number}").open("rb") as file:
                if _which(os.fstat(file.fileno())) not in read:
                    yield file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return


def spoken(lines: Iterable[str]) -> Iterator[str]:
    """What stands in the file of last words, as lines of the log: each stamped line is a warning,
    with what was written before it without a stamp (a dead conductor's last words) as traceback."""
    before: list[str] = []
    for line in lines:
        found = _STAMPED.fullmatch(line)
        if found is None:
            before.append(line)
            continue
        when, who, pid, words = found.groups()
        fields = {"event": words, "logger": who, "pid": int(pid), "level": "warning"}
        more = {"traceback": "\n".join(before)} if before else {}
        before = []
        yield json.dumps({**fields, **more, "ts": when})
