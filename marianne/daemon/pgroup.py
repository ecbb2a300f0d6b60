"""The conductor's own processes: its group, the orphans it adopts, what an earlier one left.

Which processes stand below us is read by psutil, imported when it is wanted: late, at the end.
What may be signalled is a matter of proof, and a child that ends is collected at once: these two
read /proc by our own code (:mod:`marianne.run.confine`, :mod:`marianne.run.procfs`).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection

from marianne.daemon.shared.log import get_logger
from marianne.run import procfs
from marianne.run.confine import SWEEP_PAUSE, children, reap, signal_exact, sweep_orphans

log = get_logger(__name__)

PATIENCE = 5.0


class ProcessGroupManager:
    """Keeps the conductor from leaving processes behind, and from touching strangers.

    Tracked are the processes that live rightly, the workers: they and all below them are never
    ended here. Until it is told whose it is (:meth:`belong_to`) it finds no orphans.
    """

    def __init__(self) -> None:
        self._owner = ""
        self._helpers: Callable[[], Collection[int]] = tuple
        self._original = os.getpgrp()
        self._tracked: set[int] = set()

    def belong_to(self, owner: str, helpers: Callable[[], Collection[int]] = tuple) -> None:
        """``owner`` is the home's marker in the environment of its sheets; ``helpers`` returns
        further pids that live rightly."""
        self._owner, self._helpers = owner, helpers

    @property
    def tracked(self) -> frozenset[int]:
        """The pids that are tracked."""
        return frozenset(self._tracked)

    @property
    def is_leader(self) -> bool:
        """Whether this process leads its process group."""
        return os.getpgrp() == os.getpid()

    @property
    def original_pgid(self) -> int:
        """The process group that this process was in before ``setup``: its terminal's signals go
        there, and to us no more."""
        return self._original

    def setup(self) -> None:
        """Makes this process the leader of its group; nothing if it is one."""
        if not self.is_leader:
            os.setpgid(0, 0)
            log.info("leads_its_group", group=os.getpgrp(), before=self.original_pgid)

    def track_backend_pid(self, pid: int) -> None:
        """Notes a process that lives rightly, with all below it."""
        self._tracked.add(pid)

    def untrack_backend_pid(self, pid: int) -> None:
        """Forgets a process that has ended."""
        self._tracked.discard(pid)

    def kill_all_children(self, sig: int = signal.SIGTERM) -> int:
        """Signals every living process of our group that stands below us; returns the group, or
        0 if there is none.

        Each one by pid and start time: ``killpg`` would reach ourselves, and in
        ``marianne start --foreground | tee log`` the shell's tee.
        """
        sent = [signal_exact(one.pid, one.start_time, sig) for one in self._members()]
        return os.getpgrp() if any(sent) else 0

    def end_all_children(self) -> None:
        """SIGKILL to the same processes, until a look finds none; for five seconds at most."""
        until = time.monotonic() + PATIENCE
        while self.kill_all_children(signal.SIGKILL) and time.monotonic() < until:
            time.sleep(SWEEP_PAUSE)

    def _members(self) -> list[procfs.Stat]:
        group, roots = os.getpgrp(), children()
        if group != os.getpid() or not roots:
            return []
        below = {one.pid for one in roots}.union(*(_below(one.pid) for one in roots))
        looks = map(procfs.stat, below)
        return [one for one in looks if one and not one.dead and one.pgrp == group]

    def cleanup_orphans(self) -> list[int]:
        """Collects ended children that came to us as the subreaper; returns their pids."""
        spare = self._spared()
        ended = [
            one.pid
            for one in map(procfs.stat, procfs.own_children())
            if one is not None and one.dead and one.pid not in spare
        ]
        for pid in ended:
            reap(pid)
        return ended

    def reap_orphaned_backends(self) -> list[int]:
        """Ends what earlier conductors of this home left; returns the pids that were found.

        Only by proof: our marker in the environment or in the inherited limits, same user; never
        by name, never by parent. What lives below us or below a spared process is let alone.
        """
        if not self._owner:
            return []
        return sweep_orphans(self._owner, spare={os.getpid(), *self._spared()})

    def _spared(self) -> set[int]:
        return {*self._helpers(), *self._tracked}


def _below(pid: int) -> set[int]:
    """The pids of all that descends from a process; none when it has ended."""
    import psutil

    try:
        return {one.pid for one in psutil.Process(pid).children(recursive=True)}
    except psutil.Error:
        return set()
