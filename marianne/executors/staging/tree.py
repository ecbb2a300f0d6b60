"""What paths and patterns of a score name in a workspace, as files that may be read.

A link is followed to a file that lies in the workspace itself. One that leads out of it is refused,
as is one to a directory within a declared directory: it could lead back up, without an end.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from marianne.executors.staging.names import OURS, StagingError
from marianne.run.patterns import names
from marianne.score.staging import outside

MOST_FILES = 1_000_000
"""Files and directories of one sheet, each way."""


class Entry(NamedTuple):
    """``path`` is its name in the workspace, ``source`` where it is read, None of a directory."""

    path: str
    source: str | None


class Tree:
    """``what`` they are declared as, for words. ``missing`` are, once ``entries`` is at its end,
    the patterns that nothing matches."""

    def __init__(self, root: str, patterns: Sequence[str], what: str) -> None:
        self._root, self._patterns, self._what = root, patterns, what
        self._real = os.path.realpath(root)
        self._seen: set[str] = set()
        self.missing: list[str] = []

    def entries(self) -> Iterator[Entry]:
        """Each once, directories before what is in them. Raises StagingError, OSError."""
        for pattern in self._patterns:
            if outside(pattern):
                raise StagingError(f"{self._what}: '{pattern}' leads out of the workspace")
            found = False
            for name in names(pattern, self._root):
                path = os.path.normpath(name)
                if not path.startswith(OURS):
                    found = True
                    yield from self._new(self._of(path))
            if not found:
                self.missing.append(pattern)

    def _new(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        for entry in entries:
            if entry.path not in self._seen:
                if len(self._seen) >= MOST_FILES:
                    raise StagingError(f"{self._what}: more than {MOST_FILES:,} files")
                self._seen.add(entry.path)
                yield entry

    def _of(self, path: str) -> Iterator[Entry]:
        """What a pattern has matched; a link to a directory is followed here."""
        source = self._resolved(path)
        if not os.path.isdir(source):
            yield self._file(path, source)
            return
        for folder, folders, files in os.walk(source):
            within = os.path.normpath(os.path.join(path, os.path.relpath(folder, source)))
            if within == os.curdir:
                folders[:] = [name for name in folders if not name.startswith(OURS)]
            else:
                yield Entry(within, None)
            for name in folders:
                if os.path.islink(os.path.join(folder, name)):
                    place = os.path.normpath(os.path.join(within, name))
                    raise StagingError(
                        f"{self._what}: {place} is a link to a directory: declare what it leads to"
                    )
            for name in files:
                place = os.path.normpath(os.path.join(within, name))
                yield self._file(place, self._resolved(place, os.path.join(folder, name)))

    def _resolved(self, path: str, full: str | None = None) -> str:
        source = os.path.realpath(full or os.path.join(self._root, path))
        if source != self._real and not source.startswith(os.path.join(self._real, "")):
            raise StagingError(
                f"{self._what}: {path} leads out of the workspace, to {source}: only what lies in"
                " it is brought to a node and back"
            )
        return source

    def _file(self, path: str, source: str) -> Entry:
        try:
            mode = os.stat(source).st_mode
        except FileNotFoundError:
            raise StagingError(f"{self._what}: {path} is a link to nothing") from None
        if not stat.S_ISREG(mode):
            raise StagingError(f"{self._what}: {path} is neither a file nor a directory")
        return Entry(path, source)
