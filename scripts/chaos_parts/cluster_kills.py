"""The ways in which parts of a cluster die, each on a living part, and what has to live again."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dask_cluster import DaskCluster, until

if TYPE_CHECKING:
    from cluster_proxy import Proxy
    from e2e_marianne import Marianne

LEASE, GRACE = 4.0, 1.0
BEYOND = LEASE + GRACE + 4.0
"""Seconds until everybody believes that a node is lost: lease, grace, margin, a look."""


class Kills:
    """Each way by its name; ``done`` counts them. A way that finds nothing returns False."""

    def __init__(
        self,
        cluster: DaskCluster,
        marianne: Marianne,
        proxies: dict[str, Proxy],
        rng: random.Random,
    ) -> None:
        self.cluster, self.marianne, self.proxies, self.rng = cluster, marianne, proxies, rng
        self.done: Counter[str] = Counter()
        self.frozen_until = 0.0
        self._away: dict[str, threading.Thread] = {}
        self.ways: dict[str, tuple[int, Callable[[], bool]]] = {
            "worker": (4, self.worker),
            "nanny": (2, self.nanny),
            "scheduler": (1, self.scheduler),
            "bridge": (4, self.bridge),
            "warden": (4, self.warden),
            "job's worker": (4, self.job_worker),
            "warden and worker": (2, self.warden_and_worker),
            "conductor": (3, self.conductor),
            "frozen node": (1, self.freeze),
            "cut network": (1, self.cut),
        }
        """With its weight."""

    def one(self, kinds: list[str]) -> str | None:
        """A way by chance, those that have never been first; None where it found nothing."""
        new = [kind for kind in kinds if not self.done[kind]]
        pool = new or kinds
        (kind,) = self.rng.choices(pool, [self.ways[name][0] for name in pool])
        if not self.ways[kind][1]():
            return None
        self.done[kind] += 1
        return kind

    def settle(self) -> None:
        """Waits until nothing is away any more."""
        for thread in list(self._away.values()):
            thread.join()
        until(lambda: self.up() == len(self.cluster.nodes), "all nodes", 300.0)

    def up(self) -> int:
        """Nodes that are reached."""
        try:
            (executor,) = self.marianne.request("daemon.executors")
        except Exception:  # noqa: BLE001 - it is being killed
            return 0
        return sum(node["state"] == "up" for node in executor["nodes"])

    def more_of(self, num: int) -> list[str]:
        """Further lines of the sheet of this number."""
        return []

    def left(self) -> list[str]:
        """What of the engine is left at the end that should not be, in words."""
        return []

    def _node(self) -> str | None:
        """One that is there and not away."""
        here = [name for name in self.cluster.nodes if name not in self._away]
        return self.rng.choice(here) if here else None

    def _kill(self, *pids: int | None) -> bool:
        killed = False
        for pid in pids:
            if pid is not None:
                try:
                    os.kill(pid, signal.SIGKILL)
                    killed = True
                except ProcessLookupError:
                    pass
        return killed

    # -- quick ones: started again by whoever watches ---------------------------------------------

    def worker(self) -> bool:
        """The Dask worker, which its nanny replaces."""
        node = self._node()
        return node is not None and self._kill(self.cluster.worker_pid(node))

    def bridge(self) -> bool:
        """The conductor's bridge."""
        for pid in self.marianne.processes():
            try:
                if Path(f"/proc/{pid}/comm").read_text().strip() == "marianne-bridge":
                    return self._kill(pid)
            except OSError:
                continue
        return False

    def warden(self) -> bool:
        """A node's warden."""
        node = self._node()
        return node is not None and self._kill(self.cluster.warden(node))

    def job_worker(self) -> bool:
        """A worker below a warden."""
        pids = self._job_workers(self._node())
        return bool(pids) and self._kill(self.rng.choice(pids))

    def warden_and_worker(self) -> bool:
        """Warden and its workers, stopped first so that none notices the other's death."""
        node = self._node()
        if node is None:
            return False
        pids = self.cluster.wardens(node)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGSTOP)
            except ProcessLookupError:
                continue
        return self._kill(*pids)

    def _job_workers(self, node: str | None) -> list[int]:
        if node is None:
            return []
        warden = self.cluster.warden(node)
        return [pid for pid in self.cluster.wardens(node) if pid != warden]

    def conductor(self) -> bool:
        """The conductor, which its heart replaces."""
        try:
            before = self.marianne.pids()["conductor"]
        except (OSError, ValueError, IndexError):
            return False
        if not self._kill(before):
            return False
        until(
            lambda: self.marianne.pids()["conductor"] != before and self.marianne.serves(),
            "the next conductor",
            300.0,
        )
        return True

    def scheduler(self) -> bool:
        """Dask's scheduler, started anew; its workers end with it and are started again."""
        self.cluster.kill_scheduler()
        self.cluster.start_scheduler()
        return True

    # -- slow ones: a node is away for longer than its lease --------------------------------------

    def _away_for(self, node: str, seconds: float, back: Callable[[], Any]) -> None:
        def wait() -> None:
            time.sleep(seconds)
            back()
            del self._away[node]

        self._away[node] = thread = threading.Thread(target=wait, daemon=True)
        thread.start()

    def _alone(self) -> str | None:
        """A node that may be away: the others are there."""
        return None if self._away else self._node()

    def nanny(self) -> bool:
        """Nanny and worker: the node is lost until they are started again."""
        node = self._alone()
        if node is None:
            return False
        self.cluster.kill_nanny(node)
        seconds = self.rng.choice((1.0, BEYOND))
        self._away_for(node, seconds, lambda: self.cluster.start_nanny(node))
        return True

    def freeze(self) -> bool:
        """All of a node is stopped, its sheets too, for longer than its lease."""
        node = self._alone()
        if node is None:
            return False
        pids = {*self.cluster.tree(node), *self.cluster.wardens(node)}
        pids |= below(pids)
        for pid in pids:
            send(pid, signal.SIGSTOP)
        self.frozen_until = time.monotonic() + BEYOND + GRACE + 5.0
        self._away_for(node, BEYOND, lambda: [send(pid, signal.SIGCONT) for pid in pids])
        return True

    def cut(self) -> bool:
        """The network to a node passes nothing for longer than its lease."""
        node = self._alone()
        if node is None or node not in self.proxies:
            return False
        self.proxies[node].cut()
        self._away_for(node, LEASE + BEYOND, self.proxies[node].mend)
        return True


def send(pid: int, number: int) -> None:
    """A signal, to a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def below(tops: set[int]) -> set[int]:
    """All that descends from these."""
    parents: dict[int, int] = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = Path(f"/proc/{entry}/stat").read_text()
        except OSError:
            continue
        parents[int(entry)] = int(stat.rpartition(") ")[2].split()[1])
    found: set[int] = set()
    new = set(tops)
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - found
        found |= new
    return found
