"""Plans of scores that were read before, so that the same score need not be read again.

Reading a score is a process of its own; a score that is submitted again and again would pay for it
each time. What is kept counts only while everything that the reading looked at is as it was: the
text, the request's other parts, the settings of prompts, the instrument files, the repository
around the score, and which programs there are. A score with template files is not kept.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from marianne.instruments.present import why_missing
from marianne.score.places import OWN_INSTRUMENTS, project_root

if TYPE_CHECKING:
    from marianne.daemon.shared.parsed import Parsed, ParseRequest

KEPT_BYTES = 4 * 2**20
"""Of plans and texts in all."""

TEXT_LIMIT = 2**20
"""A longer score takes its time anyway."""


class ScoreCache:
    """Written by the parser, read by whoever has a request in hand; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Parsed] = OrderedDict()
        self._bytes = 0
        self.settings: Callable[[], Hashable] = lambda: None
        """What the conductor's configuration says of prompts; it may be read anew."""

    def key(self, request: ParseRequest) -> Hashable | None:
        """What the reading of a score depends on; None for one that cannot be kept."""
        text = request.text
        if text is None:
            text = _read(request.path)
        if text is None or len(text) > TEXT_LIMIT or request.preview:
            return None
        return (
            text,
            request.path,
            request.base_dir,
            request.workspace,
            tuple(sorted(request.variables.items())),
            request.search_path,
            (request.first, tuple(request.only), request.start, request.until),
            request.executor,
            _listing(request.instruments),
            _listing(os.path.join(request.base_dir, OWN_INSTRUMENTS)),
            project_root(request.base_dir),
            self.settings(),
        )

    def find(self, key: Hashable | None, search_path: str) -> Parsed | None:
        """What was read under this key, if its programs are still where they were."""
        if key is None:
            return None
        with self._lock:
            parsed = self._kept.get(key)
            if parsed is None:
                return None
            self._kept.move_to_end(key)
        for program, there in parsed.programs:
            if (why_missing(program, search_path) is None) is not there:
                return None
        return parsed

    def keep(self, key: Hashable | None, parsed: Parsed) -> None:
        """Keeps it, and of the others those used last, as far as there is space."""
        if key is None:
            return
        with self._lock:
            before = self._kept.pop(key, None)
            self._bytes += _weight(parsed) - (_weight(before) if before is not None else 0)
            self._kept[key] = parsed
            while self._bytes > KEPT_BYTES:
                self._bytes -= _weight(self._kept.popitem(last=False)[1])


def _weight(parsed: Parsed) -> int:
    return len(parsed.plan) + 2 * len(parsed.score) + 2_000


def _read(path: str | None) -> str | None:
    """The text of a regular file of ordinary size; whatever else it is, the child says."""
    try:
        descriptor = os.open(path or "", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode) or about.st_size > TEXT_LIMIT:
                return None
            # One byte more tells whether it has grown since: then it is being written.
            text = os.read(descriptor, about.st_size + 1)
            return text.decode("utf-8") if len(text) == about.st_size else None
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return None


def _listing(directory: str) -> tuple[tuple[str, int, int, int], ...]:
    """The files of a directory as they are now; nothing for one that is not there."""
    found = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                about = entry.stat()
                found.append((entry.name, about.st_mtime_ns, about.st_size, about.st_ino))
    except OSError:
        pass
    return tuple(sorted(found))
