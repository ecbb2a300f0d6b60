"""The directories of a room that are empty when a sheet comes in (``tmp: private``), and are again
when it has left.

A room is used by one sheet after another, and making one costs what a short sheet takes. So what a
sheet has left is removed, and then all is looked at: only a room that is as it was when it was made
is used again. Whoever leaves much, or what cannot be removed, has had the last use of its room.

The worker looks from outside, by a descriptor of the room's root. No link of a sheet's leads it
anywhere: it goes down name by name, and only where it knows the directory again.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import NamedTuple

FEW_FILES, FEW_BYTES = 100, 8 << 20
"""What is removed at most: more takes longer than a new room."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Seen(NamedTuple):
    """A directory: which one, and whose; the names of its attributes; the names in it; and of these
    the ones that lead to what is mounted further down. What is mounted is not looked into."""

    identity: tuple[int, ...]
    attributes: list[str]
    names: list[str]
    within: dict[str, Seen]


class Covers:
    """Of one room. ``root`` is a path that leads to the room's root now; ``covers`` are the empty
    directories, ``mounted`` all that is mounted in the room, as absolute paths there. Raises
    OSError."""

    def __init__(self, root: str, covers: Sequence[str], mounted: Sequence[str]) -> None:
        self._paths, self._mounted = covers, mounted
        self._root = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._fresh = [self._look(path) for path in covers]
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets go of the room."""
        os.close(self._root)

    def clear(self) -> bool:
        """Removes what was left, if it is little; whether all is as it was. Nobody may live in the
        room."""
        try:
            return all(
                self._look(path) == fresh or self._cleared(path, fresh)
                for path, fresh in zip(self._paths, self._fresh, strict=True)
            )
        except OSError:
            return False

    def _cleared(self, path: str, fresh: Seen) -> bool:
        fd = self._open(path)
        try:
            # A link of the sheet's may have led to another place.
            if _identity(fd) != fresh.identity or _bytes(fd) > FEW_BYTES:
                return False
            _clear(fd, fresh, [FEW_FILES])
        finally:
            os.close(fd)
        return self._look(path) == fresh

    def _look(self, path: str) -> Seen:
        fd = self._open(path)
        try:
            below = f"{path}/"
            return _see(fd, [one[len(below) :] for one in self._mounted if one.startswith(below)])
        finally:
            os.close(fd)

    def _open(self, path: str) -> int:
        return os.open(path.lstrip("/"), _FOLDER, dir_fd=self._root)


def _see(fd: int, mounted: Sequence[str]) -> Seen:
    """``mounted``: relative to it."""
    names = sorted(os.listdir(fd))
    deeper: dict[str, list[str]] = {}
    for path in mounted:
        name, _, rest = path.partition("/")
        deeper.setdefault(name, []).append(rest)
    within = {}
    for name, rests in deeper.items():
        if name in names and "" not in rests:
            inner = os.open(name, _FOLDER, dir_fd=fd)
            try:
                within[name] = _see(inner, rests)
            finally:
                os.close(inner)
    return Seen(_identity(fd), os.listxattr(fd), names, within)


def _identity(fd: int) -> tuple[int, ...]:
    one = os.fstat(fd)
    return (one.st_dev, one.st_ino, one.st_mode, one.st_uid, one.st_gid)


def _bytes(fd: int) -> int:
    """What the file system has in it."""
    used = os.fstatvfs(fd)
    return (used.f_blocks - used.f_bfree) * used.f_frsize


def _clear(fd: int, fresh: Seen, left: list[int]) -> None:
    """Removes what was not there; raises OSError where that is more than is left to be removed."""
    for name in os.listdir(fd):
        if name not in fresh.names:
            _remove(name, fd, left)
        elif name in fresh.within:
            inner = os.open(name, _FOLDER, dir_fd=fd)
            try:
                if _identity(inner) == fresh.within[name].identity:
                    _clear(inner, fresh.within[name], left)
            finally:
                os.close(inner)


def _remove(name: str, folder: int, left: list[int]) -> None:
    if left[0] <= 0:
        raise OSError(errno.E2BIG, "more was left than is removed")
    left[0] -= 1
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        inner = os.open(name, _FOLDER, dir_fd=folder)
        try:
            for one in os.listdir(inner):
                _remove(one, inner, left)
        finally:
            os.close(inner)
        os.rmdir(name, dir_fd=folder)
