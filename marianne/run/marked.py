"""Finding what an earlier conductor of this home left behind, by proof and nothing else.

A process is found when it carries our marker, which only sheets get: the random MARIANNE_OWNER in
its environment, or the watermark in its limits; or when it lives in a recorded session of this
boot. Always of the same user, never one of ours that lives rightly. Never by name, never by
parent.
"""

from __future__ import annotations

import os
from collections.abc import Collection

from marianne.run import procfs, watermark
from marianne.run.procfs import Stat

MARKER = "MARIANNE_OWNER"


def carries(pid: int, owner: str) -> bool:
    """Whether ``pid`` is or descends from a sheet of this owner's."""
    if watermark.belongs_to(pid, owner):
        return True
    return procfs.environ_value(procfs.environ(pid), MARKER) == owner


def left_behind(
    owner: str, *, spare: Collection[int] = (), since: int = 0, job_id: str | None = None
) -> list[Stat]:
    """The marked processes that no living process of ours answers for.

    ``spare`` are pids of living workers (and whatever else must stay), spared with all that
    stands below them. ``since`` is a start time in clock ticks. With ``job_id`` only what names
    that job in its environment.
    """
    look = procfs.snapshot()
    safe = procfs.descendants(set(spare), look)
    mine, uid = os.getpid(), os.getuid()
    found = []
    for one in look.values():
        if one.pid == mine or one.pid in safe or one.start_time < since:
            continue
        if procfs.owner_uid(one.pid) != uid or not carries(one.pid, owner):
            continue
        if job_id is not None:
            data = procfs.environ(one.pid)
            if procfs.environ_value(data, "MARIANNE_JOB_ID") != job_id:
                continue
        found.append(one)
    return found


def in_session(session: int, boot_id: str, *, spare: Collection[int] = ()) -> list[Stat]:
    """Members of a session recorded under ``boot_id``; nothing after a reboot.

    The number is only good while a member lives: the caller must know that one does (a worker
    that it watches, a process found by its marker).
    """
    if boot_id != procfs.boot_id() or session <= 1 or session == os.getsid(0):
        return []
    return [s for s in procfs.snapshot().values() if s.session == session and s.pid not in spare]
