"""Who holds a lock: the proof that a process is one of a home's own.

A number in a file may be a stranger's by now, and the file may be gone. Who holds the lock itself
has inherited it, and the kernel says so of each open descriptor.
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


def holds(pid: int, *places: tuple[int, int] | None) -> bool:
    """Whether the process holds the flock on one of these. False where we may not look."""
    wanted = {place for place in places if place is not None}
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return False
    return any(
        identity(f"/proc/{pid}/fd/{name}") in wanted and _locked(pid, name) for name in names
    )


def holders(*places: tuple[int, int] | None) -> list[int]:
    """All processes of ours that hold the flock on one of these, the oldest first."""
    uid = os.getuid()
    found = [
        one
        for one in procfs.snapshot().values()
        if one.pid != os.getpid() and procfs.owner_uid(one.pid) == uid and holds(one.pid, *places)
    ]
    return [one.pid for one in sorted(found, key=lambda one: one.start_time)]


def _locked(pid: int, name: str) -> bool:
    """Whether this open descriptor holds a lock for itself alone; a look shares its one."""
    try:
        with open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii", errors="replace") as file:
            return any("FLOCK" in line and "WRITE" in line for line in file)
    except OSError:
        return False
