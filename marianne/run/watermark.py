"""A mark that a process cannot lose by accident: in the limits that it inherits.

A child that calls setsid, forks twice and clears its environment has left its group, its session,
its parent and our marker behind. Resource limits go through all of that. RLIMIT_RTTIME bounds the
time that a *realtime* process may run without sleeping and means nothing to any other, so its
value is free to carry a number, as long as it stays beyond any real bound (2**61 us are 73,000
years). The hard limit carries the owner, the soft limit the attempt:

    hard = 2**62 + 62 bits of the owner             set once by the conductor, or by the worker
    soft = 2**61 + 37 bits of owner and job + 24 bits of count
                                                    set before each spawn; as hard in the worker

A process that sets this limit itself (sound servers do) or a system without it is only as well
known as by its group, its session and its environment.
"""

from __future__ import annotations

import os
import resource

from marianne.run import procfs

_HARD = 1 << 62
_SOFT = 1 << 61
_COUNTER_BITS = 24


def _mix(text: str) -> int:
    """64 bits of FNV-1a. The owner is random already, and hashlib would load all of OpenSSL."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def owner_mark(owner: str) -> int:
    """The hard limit that every process of a conductor's home carries."""
    return _HARD | _mix(owner) & (_HARD - 1)


def job_mark(owner: str, job_id: str) -> int:
    """The soft limit that every sheet of a job carries, its lowest 24 bits aside."""
    return _SOFT | _mix(f"{owner}/{job_id}") << _COUNTER_BITS & (_SOFT - 1)


def take(owner: str) -> bool:
    """Marks this process and all that it starts as the owner's; returns whether it could.

    The conductor does it before its first child: its helpers are then known as the home's even
    when it is dead, and so is a worker from its first instruction on. Below a sheet of another
    conductor its mark stays: that sheet must find all that it started.
    """
    mark, hard = owner_mark(owner), resource.getrlimit(resource.RLIMIT_RTTIME)[1]
    if hard != resource.RLIM_INFINITY and hard >= _HARD and hard != mark:
        return False
    return _set(mark, mark)


def _set(soft: int, hard: int) -> bool:
    try:
        resource.setrlimit(resource.RLIMIT_RTTIME, (soft, hard))
    except (ValueError, OSError):
        return False
    return True


class Watermark:
    """Gives each attempt its own mark. For a process with a single thread: the worker.

    With ``claim`` the hard limit is set to the owner's mark, which a process without privilege
    cannot undo; below a sheet of another conductor, which set its own, the attempt's mark alone
    has to do.
    """

    def __init__(self, owner: str, job_id: str, *, claim: bool) -> None:
        # Beginning anywhere keeps the marks of two incarnations of a worker apart.
        self._count = int.from_bytes(os.urandom(3), "big")
        self._base = job_mark(owner, job_id)
        if claim:
            take(owner)
        self._rest, self._hard = resource.getrlimit(resource.RLIMIT_RTTIME)
        self._works = self._hard == resource.RLIM_INFINITY or self._hard >= _HARD

    def put_on(self) -> int | None:
        """Marks what is spawned from now on; returns the mark, None where there is none."""
        if not self._works:
            return None
        self._count += 1
        mark = self._base | self._count & ((1 << _COUNTER_BITS) - 1)
        self._works = _set(mark, self._hard)
        return mark if self._works else None

    def take_off(self) -> None:
        """Unmarks ourselves, so that nobody takes the worker for one of its sheets."""
        if self._works:
            _set(self._rest, self._hard)


def read(pid: int) -> int | None:
    """The attempt's mark that ``pid`` carries, None if it has none."""
    limits = procfs.realtime_limits(pid)
    return limits[0] if limits and _SOFT <= limits[0] < _HARD else None


def belongs_to(pid: int, owner: str, job_id: str | None = None) -> bool:
    """Whether ``pid`` is, or descends from, a sheet of this owner's (and job's).

    The worker carries only the owner's mark: it is none of its sheets.
    """
    limits = procfs.realtime_limits(pid)
    if limits is None or limits[1] != owner_mark(owner) or not _SOFT <= limits[0] < _HARD:
        return False
    return job_id is None or limits[0] >> _COUNTER_BITS == (
        job_mark(owner, job_id) >> _COUNTER_BITS
    )


def is_worker(pid: int, owner: str) -> bool:
    """Whether ``pid`` is a worker process of this owner's: it carries the owner's mark alone.

    So do the conductor and its helpers, which stay in its session.
    """
    mark = owner_mark(owner)
    return procfs.realtime_limits(pid) == (mark, mark)


def is_anyones_worker(pid: int) -> bool:
    """The same of whatever owner."""
    limits = procfs.realtime_limits(pid)
    return limits is not None and limits[0] == limits[1] and _HARD <= limits[0] < 2 * _HARD
