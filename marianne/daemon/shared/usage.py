"""One look at the whole tree of a conductor: how much memory, how many processes, whose.

Memory of our own processes is PSS (pages they share with the forkserver count once), memory of
sheets' trees is RSS (cheap, and the pages that a sheet shares with others are hardly ours).

The first look is taken before a conductor serves, so it imports nothing for it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import field

from marianne.records import dataclass
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
    """Looks at everything below ``roots`` (conductor, heart); ``workers`` are the jobs' own.

    Raises OSError when the system cannot be read.
    """
    found = TreeLook(workers={pid: Usage() for pid in workers})
    commands = {pid: procfs.command_line(pid) for pid in workers}
    inside: dict[int, Usage | None] = {}  # whose the children of each process are
    for one in _below(roots):
        # What stands below a worker is its sheets; the worker itself is ours.
        owner = inside.get(one.ppid)
        inside[one.pid] = found.workers.get(one.pid, owner)
        if one.dead:
            found.zombies.append(one.pid)
        elif owner is None:
            if (memory_mb := own_mb(one)) is not None:
                found.total.add(memory_mb)
        else:
            memory_mb = 0.0 if _is_still(one, commands) else one.rss_mb
            owner.add(memory_mb)
            found.total.add(memory_mb)
    return found


def _is_still(one: Stat, commands: Mapping[int, list[bytes]]) -> bool:
    """Whether a worker's child has not begun its program yet: until then it has, and is called by,
    its worker's own memory, which it does not use (vfork)."""
    return one.ppid in commands and procfs.command_line(one.pid) == commands[one.ppid]


def _below(roots: Iterable[int]) -> Iterable[Stat]:
    """The roots and what descends from them, each once, a parent before its children."""
    looks = {pid: one for pid in procfs.pids() if (one := procfs.stat(pid)) is not None}
    below: dict[int, list[int]] = {}
    for one in looks.values():
        below.setdefault(one.ppid, []).append(one.pid)
    seen: dict[int, Stat] = {}
    for root in sorted(roots):  # the heart, which is above all others, is the oldest as a rule
        todo = [root]
        while todo:
            pid = todo.pop()
            if pid in looks and pid not in seen:
                seen[pid] = looks[pid]
                todo.extend(below.get(pid, ()))
    if os.getpid() not in seen:
        raise OSError("/proc does not show this process: it cannot be relied upon")
    return seen.values()


_NUMBER = re.compile("[0-9]{1,10}")
"""Of a sheet, as we write it: what stands there may be anybody's."""


def sheets_below(worker: int) -> dict[tuple[str, int], Usage]:
    """What each sheet below a worker uses, by (job, sheet), as its environment names them.

    Costs a read of the environment for each child of the worker: for when it is too much already.
    """
    everything = procfs.snapshot()
    found: dict[tuple[str, int], Usage] = {}
    for child in everything.values():
        if child.ppid != worker or child.dead:
            continue
        environ = procfs.environ(child.pid)
        job = procfs.environ_value(environ, "MARIANNE_JOB_ID")
        sheet = procfs.environ_value(environ, "MARIANNE_SHEET")
        if job is None or sheet is None or not _NUMBER.fullmatch(sheet):
            continue  # it set its environment anew: its job is known by its worker all the same
        usage = found.setdefault((job, int(sheet)), Usage())
        for one in procfs.descendants({child.pid}, everything).values():
            if not one.dead:
                usage.add(one.rss_mb)
    return found


def own_mb(one: Stat) -> float | None:
    """The proportional set size of one of our own processes in MB; of one that is not ours to read
    its RSS, of one that is gone None."""
    pss_mb = procfs.proportional_mb(one.pid)
    if pss_mb is None and procfs.lives(one.pid, one.start_time):
        return one.rss_mb
    return pss_mb
