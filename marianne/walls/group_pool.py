"""The groups of one job's attempts: made when they are wanted, and used again.

Making one costs half a millisecond, which a short sheet does not have. One that was killed, or that
was divided by who was in it, is taken away; while somebody lives in it, it is left for the end of
the job.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from marianne.walls.cgroups import Group, end_abandoned, hold

KEPT_OPEN = 16
"""Groups of a job of which files stay open: to open them costs five times what reading does, and a
job that has more sheets at once may have no descriptors to spare."""


class Groups:
    """Below BASE, for one worker process, which it belongs to until it is closed or dies."""

    def __init__(self, base: str, job_id: str) -> None:
        self._base, self._job_id = base, job_id
        self._locks: tuple[int, ...] = ()
        self._idle: list[Group] = []
        self._made = 0
        self._controllers: tuple[str, ...] = ()

    def begin(self) -> tuple[str, ...]:
        """Holds the job's group, which is made if it is not there; returns the controllers that
        its groups have. Raises OSError."""
        if not self._locks:
            self._begin()
        return self._controllers

    def take(self, bounds: Mapping[str, str] | None = None) -> Group:
        """An empty one with these bounds. Raises OSError."""
        self.begin()
        group = self._idle.pop() if self._idle else self._another()
        if bounds or group.bounded:
            group.bound(bounds or {})
        return group

    def give_back(self, group: Group) -> None:
        """Whoever was in it is gone, or could not be ended."""
        if group.killed or group.populated or group.divided:
            group.shut()
            group.remove()
        else:
            self._idle.append(group)

    def forget(self) -> None:
        """Begins anew with the next: what was made is not there any more, or of no use."""
        for fd in self._locks:
            os.close(fd)
        self._locks = ()
        for group in self._idle:
            group.shut()
        self._idle.clear()

    def close(self) -> bool:
        """Ends all that is left in groups of the job; returns whether there is nobody now."""
        if not self._locks:
            return True
        job = Group(os.path.join(self._base, self._job_id))
        ended = job.empty()
        self.forget()
        if ended:
            end_abandoned(self._base, self._job_id)
        return ended

    def _begin(self) -> None:
        base = hold(self._base)
        try:
            job = hold(os.path.join(self._base, self._job_id))
        except OSError:
            os.close(base)
            raise
        self._locks = base, job
        group = Group(os.path.join(self._base, self._job_id))
        self._controllers = tuple(group.read("cgroup.controllers").split())
        for name in self._controllers:
            group.write("cgroup.subtree_control", f"+{name}")

    def _another(self) -> Group:
        # Named by us too: what an earlier worker of the job left may not be gone yet.
        self._made += 1
        name = f"{os.getpid()}-{self._made}"
        path = os.path.join(self._base, self._job_id, name)
        return Group.make(path, kept=self._made <= KEPT_OPEN)
