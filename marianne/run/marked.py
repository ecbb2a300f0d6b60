"""Finding what an earlier conductor of this home left behind, by proof and nothing else.

A process is found when it carries our marker, which only sheets get: the random MARIANNE_OWNER in
its environment, or the watermark in its limits. Always of the same user, never one of ours that
lives rightly. Never by name, never by parent.
"""

from __future__ import annotations

import os

from marianne.run import procfs, watermark
from marianne.run.procfs import Stat

TYPE_CHECKING = False  # for the type checker alone: the heart does without what typing costs
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MARKER = "MARIANNE_OWNER"
WORKERS = ("marianne-worker", "marianne-errand", "marianne-check")
"""The names of processes that spawn what a job wants."""
CATCH_UPS = 50
"""How often a look goes on with what was born meanwhile: each time that is less, and quicker."""


def is_worker(pid: int, owner: str) -> bool:
    """Whether ``pid`` is a worker process of this owner's.

    While it spawns it carries the mark of what it spawns (:meth:`Watermark.put_on`), for as long as
    the machine keeps the child from its exec. What tells it from a sheet then is its name, which an
    exec takes away, and that its environment names no owner: it is a conductor's, and that of a
    conductor below a sheet names the sheet's.
    """
    if watermark.is_worker(pid, owner):
        return True
    return (
        watermark.belongs_to(pid, owner)
        and procfs.name(pid) in WORKERS
        and procfs.environ_value(procfs.environ(pid), MARKER) != owner
    )


def carries(pid: int, owner: str, job_id: str | None = None) -> bool:
    """Whether ``pid`` is, or descends from, a sheet of this owner's (and job's).

    Where no job is named, a worker or a helper of this owner's counts as well.
    """
    if watermark.belongs_to(pid, owner, job_id):
        return True
    if job_id is None and watermark.is_worker(pid, owner):
        return True
    data = procfs.environ(pid)
    if procfs.environ_value(data, MARKER) != owner:
        return False
    return job_id is None or procfs.environ_value(data, "MARIANNE_JOB_ID") == job_id


def left_behind(
    owner: str, job_id: str | None = None, *, spare: Collection[int] = (), since: int = 0
) -> Iterator[Stat]:
    """The marked processes that no living process of ours answers for, the youngest first.

    ``spare`` are pids of living workers (and whatever else must stay), spared with all that
    stands below them. ``since`` is a start time in clock ticks: what is older is a stranger.

    One that forks and ends all the time has another number before a look at all processes is over:
    so the look goes on with those that were born during it, until there are none.
    """
    last, uid = procfs.newest(), os.getuid()
    look = procfs.snapshot()
    safe = {*procfs.descendants(set(spare), look), *spare}

    def meant(one: Stat) -> bool:
        return (
            one.start_time >= since
            and procfs.owner_uid(one.pid) == uid
            and carries(one.pid, owner, job_id)
        )

    for one in sorted(look.values(), key=lambda one: one.start_time, reverse=True):
        if one.pid != os.getpid() and one.pid not in safe and meant(one):
            yield one
    for _ in range(CATCH_UPS):
        before, last = last, procfs.newest()
        if last <= before:  # nobody was born, or the numbers began anew: the next look sees them
            return
        for pid in range(before + 1, last + 1):
            born = None if pid in look or pid in safe else procfs.stat(pid)
            if (
                born is not None
                and not born.dead
                and meant(born)
                and procfs.is_process(pid)
                and not procfs.stands_below(born, safe)
            ):
                yield born
