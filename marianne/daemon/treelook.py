"""One look at the whole tree of a conductor: how much memory, how many processes, whose.

Memory of our own processes is PSS (pages they share with the forkserver count once), memory of
sheets' trees is RSS (cheap, and the pages that a sheet shares with others are hardly ours). One
pass through /proc; PSS is read for our own few processes only.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from marianne.run import procfs
from marianne.run.procfs import Stat


@dataclass(slots=True)
class Usage:
    """What a tree of processes uses: MB (2**20 bytes) and a number of processes."""

    memory_mb: float = 0.0
    processes: int = 0

    def add(self, memory_mb: float) -> None:
        """One process more."""
        self.memory_mb += memory_mb
        self.processes += 1


@dataclass(slots=True)
class TreeLook:
    """The whole tree at one moment. ``workers`` holds what the sheets below each worker use."""

    total: Usage = field(default_factory=Usage)
    workers: dict[int, Usage] = field(default_factory=dict)
    zombies: list[int] = field(default_factory=list)


def look(roots: Iterable[int], workers: Collection[int]) -> TreeLook:
    """Looks at everything below ``roots`` (conductor, heart); ``workers`` are the jobs' own."""
    found = TreeLook(workers={pid: Usage() for pid in workers})
    everything = _everything()
    below: dict[int, list[Stat]] = {}
    for one in everything.values():
        below.setdefault(one.ppid, []).append(one)
    seen: set[int] = set()
    todo: list[tuple[int, Usage | None]] = [(pid, None) for pid in roots]
    while todo:
        pid, owner = todo.pop()
        if pid in seen:
            continue
        seen.add(pid)
        children = below.get(pid, ())
        it = everything.get(pid)
        if it is not None and it.dead:
            found.zombies.append(pid)
        elif it is not None:
            _count(it, owner, found.total)
        # What stands below a worker is its sheets; the worker itself is ours.
        inner = found.workers.get(pid, owner)
        todo.extend((child.pid, inner) for child in children)
    return found


def sheets_below(worker: int) -> dict[tuple[str, int], Usage]:
    """What each sheet below a worker uses, by (job, sheet), as its environment names them.

    Costs a read of the environment for each child of the worker: for when it is too much already.
    """
    everything = _everything()
    found: dict[tuple[str, int], Usage] = {}
    for child in everything.values():
        if child.ppid != worker or child.dead:
            continue
        environ = procfs.environ(child.pid)
        job = procfs.environ_value(environ, "MARIANNE_JOB_ID")
        sheet = procfs.environ_value(environ, "MARIANNE_SHEET")
        if job is None or sheet is None or not sheet.isdigit():
            continue  # it cleared its environment: its job is known by its worker all the same
        usage = found.setdefault((job, int(sheet)), Usage())
        for one in procfs.descendants({child.pid}, everything).values():
            if not one.dead:
                usage.add(one.rss_mb)
    return found


def pss_mb(pid: int) -> float | None:
    """The proportional set size of a process in MB; None when it is gone or not ours to read."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as stream:
            for line in stream:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) / 1024
    except (OSError, ValueError):
        return None
    return None


def _count(one: Stat, owner: Usage | None, total: Usage) -> None:
    if owner is None:
        pss = pss_mb(one.pid)
        total.add(one.rss_mb if pss is None else pss)
    else:
        owner.add(one.rss_mb)
        total.add(one.rss_mb)


def _everything() -> dict[int, Stat]:
    looks = map(procfs.stat, procfs.pids())
    found = {one.pid: one for one in looks if one is not None}
    if os.getpid() not in found:
        raise OSError("/proc does not show this process: it cannot be relied upon")
    return found
