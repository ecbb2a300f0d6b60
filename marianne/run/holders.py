"""Who has a file or directory open: the proof that a process is one of a home's own.

A number in a file may be a stranger's by now. Who has the lock's file open inherited it.
"""

from __future__ import annotations

import os

from marianne.run import procfs


def identity(place: str | os.PathLike[str] | int) -> tuple[int, int] | None:
    """The device and inode of a path or of an open descriptor; None if there is none."""
    try:
        found = os.stat(place)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def has_open(pid: int, *places: tuple[int, int] | None) -> bool:
    """Whether the process has one of these open. False where we may not look."""
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return False
    return any(identity(f"/proc/{pid}/fd/{name}") in places for name in names if any(places))


def who_has_open(*places: tuple[int, int] | None) -> list[int]:
    """All processes of ours that have one of these open, the oldest first."""
    look = procfs.snapshot()
    uid = os.getuid()
    found = [
        one
        for one in look.values()
        if one.pid != os.getpid()
        and procfs.owner_uid(one.pid) == uid
        and has_open(one.pid, *places)
    ]
    return [one.pid for one in sorted(found, key=lambda one: one.start_time)]
