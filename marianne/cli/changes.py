"""Which files change: what is looked at, what counts, and the threads that look.

A file is watched by its directory: editors put another file in its place, and a watch of the old
one would hear nothing more.
"""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from marianne.cli.errors import CliError
from marianne.records import dataclass

if TYPE_CHECKING:
    from watchfiles import Change

QUIET_BEFORE = 10
"""A burst of changes is told after so many times the quiet that is waited for, at the latest."""

BEGUN_WITHIN_MS = 200
"""After so long without a change a watch says that it looks."""


@dataclass(frozen=True)
class Watched:
    """What is watched, as real paths: ``files`` by themselves, ``directories`` with all below."""

    files: frozenset[str]
    directories: tuple[str, ...]

    @classmethod
    def of(cls, score: str, paths: Sequence[str]) -> Watched:
        """The score, and these paths; without any, the directory of the score. Raises CliError."""
        files, directories = {_real(score)}, list[str]()
        for path in paths or [os.path.dirname(score)]:
            if not os.path.exists(path):
                raise CliError("usage", f"there is nothing at {path!r} to watch")
            (directories.append if os.path.isdir(path) else files.add)(_real(path))
        return cls(frozenset(files), tuple(directories))

    def counts(self, path: str, ours: Iterable[str]) -> bool:
        """Whether a change there is a reason to run.

        ``ours`` are directories that we write ourselves (the job's workspace, the conductor's
        home): what happens in them counts only below a path that was named and lies in them.
        Nor does a directory that comes or goes because they lie in it.
        """
        path = os.path.join(_real(os.path.dirname(path)), os.path.basename(path))
        if path in self.files:
            return True
        above = [one for one in self.directories if within(path, one)]
        places = [_real(one) for one in ours]
        if path not in self.directories and any(within(one, path) for one in places):
            return False
        own = [one for one in places if within(path, one)]
        return any(all(within(named, one) for one in own) for named in above)

    def sees(self, ours: Sequence[str]) -> bool:
        """Whether a change of anything beside the score can count."""
        inside = [any(within(one, _real(own)) for own in ours) for one in self.directories]
        return len(self.files) > 1 or not all(inside) or not ours


def within(path: str, directory: str) -> bool:
    """Whether the path is the directory, or below it. Both are absolute."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _real(path: str) -> str:
    return os.path.realpath(path)


def look(
    watched: Watched,
    quiet: float,
    tell: Callable[[list[str]], object],
    failed: Callable[[CliError], object],
) -> None:
    """Has threads tell of each burst of changes, once ``quiet`` seconds have passed without one.

    Returns when they look, so that no later change is missed. What version control, editors and
    Python leave behind is passed over (``watchfiles.DefaultFilter``). A watch that cannot be had
    is told to ``failed``.
    """
    deep_in = watched.directories
    alone = {os.path.dirname(file) for file in watched.files}
    beside = sorted(one for one in alone if not any(within(one, above) for above in deep_in))
    begun = []
    for paths, deep in ((beside, False), (list(deep_in), True)):
        if paths:
            begun.append(threading.Event())
            job = (paths, deep, quiet, begun[-1], tell, failed)
            threading.Thread(target=_look, args=job, name="changes", daemon=True).start()
    for one in begun:
        one.wait()


def _look(
    paths: list[str],
    deep: bool,
    quiet: float,
    begun: threading.Event,
    tell: Callable[[list[str]], object],
    failed: Callable[[CliError], object],
) -> None:
    back: list[str] = []
    try:
        while True:
            back = _look_once(paths, back, deep, quiet, begun, tell)
    except Exception as error:  # noqa: BLE001 - watchfiles tells of limits by a class of its own
        failed(_refused(error))
    finally:
        begun.set()


def _look_once(
    paths: list[str],
    back: list[str],
    deep: bool,
    quiet: float,
    begun: threading.Event,
    tell: Callable[[list[str]], object],
) -> list[str]:
    """Tells of changes until one of the paths is another directory than the one that is looked at.

    A watch goes with its directory: of one that is made anew it hears nothing. Returns those, to
    be watched anew and then told of (``back``), with all that may have changed in them unseen.
    """
    from watchfiles import watch

    there = {path: which for path in paths if (which := _which(path)) is not None}
    if not there:
        time.sleep(BEGUN_WITHIN_MS / 1000)
        return [path for path in paths if _which(path) is not None]
    step = max(1, int(quiet * 1000))
    looks = watch(
        *there,
        step=step,
        debounce=step * QUIET_BEFORE,
        rust_timeout=BEGUN_WITHIN_MS,
        yield_on_timeout=True,
        recursive=deep,
    )
    with closing(looks):
        # The first look, with changes or without, says that the watch is there.
        for changes in looks:
            begun.set()
            if found := sorted({*_changed(changes), *back}):
                tell(found)
            back = []
            for change, path in changes:
                if change.name == "deleted":
                    there.pop(path, None)  # one in its place may get the same number
            anew = [path for path in paths if (now := _which(path)) and now != there.get(path)]
            if anew:
                return anew
    return []


def _which(path: str) -> tuple[int, int] | None:
    """What tells the directory from another one in its place; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _changed(changes: Iterable[tuple[Change, str]]) -> list[str]:
    """The paths, without what came and went again: an editor's part of a new file."""
    kinds: dict[str, set[str]] = {}
    for change, path in changes:
        kinds.setdefault(path, set()).add(change.name)
    passing = {"added", "deleted"}
    return sorted(
        path for path, seen in kinds.items() if not (passing <= seen and not os.path.lexists(path))
    )


def _refused(error: Exception) -> CliError:
    limits = (errno.ENOSPC, errno.EMFILE, errno.ENFILE)
    number = re.search(r"\(os error (\d+)\)", str(error))
    known = error.errno if isinstance(error, OSError) else number and int(number[1])
    many = known in limits or "limit" in str(error)
    hint = "name fewer PATHS, or raise fs.inotify's max_user_watches or max_user_instances"
    return CliError("os_error", f"cannot watch: {error}", f"{hint} (inotify(7))" if many else None)
