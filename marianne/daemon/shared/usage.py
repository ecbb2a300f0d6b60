"""One look at the whole tree of a conductor: how much memory, how many processes, whose.

Memory of our own processes is PSS (pages they share with the forkserver count once), memory of
sheets' trees is RSS (cheap, and the pages that a sheet shares with others are hardly ours).

The system is read by psutil, which is imported with the first look. Which sheet a process belongs
to is proof, not a figure: that is read from /proc by our own code (:mod:`marianne.run.procfs`), as
everything is by which a process may be ended.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from marianne.records import dataclass
from marianne.run import procfs

if TYPE_CHECKING:
    from psutil import Process

MB = 2**20


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
    import psutil

    found = TreeLook(workers={pid: Usage() for pid in workers})
    commands = {pid: procfs.command_line(pid) for pid in workers}
    inside: dict[int, Usage | None] = {}  # whose the children of each process are
    for process in _below(roots):
        try:
            with process.oneshot():
                # What stands below a worker is its sheets; the worker itself is ours.
                owner = inside.get(process.ppid())
                inside[process.pid] = found.workers.get(process.pid, owner)
                if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
                    found.zombies.append(process.pid)
                elif owner is None:
                    found.total.add(own_mb(process))
                elif _is_still(process, commands):
                    owner.add(0.0)
                    found.total.add(0.0)
                else:
                    memory_mb = process.memory_info().rss / MB
                    owner.add(memory_mb)
                    found.total.add(memory_mb)
        except psutil.NoSuchProcess:
            continue
    return found


def _is_still(process: Process, commands: Mapping[int, list[bytes]]) -> bool:
    """Whether a worker's child has not begun its program yet: until then it has, and is called by,
    its worker's own memory, which it does not use (vfork)."""
    worker = process.ppid()
    return worker in commands and procfs.command_line(process.pid) == commands[worker]


def _below(roots: Iterable[int]) -> Iterable[Process]:
    """The roots and what descends from them, each once, a parent before its children."""
    import psutil

    seen: dict[int, Process] = {}
    for pid in sorted(roots):  # the heart, which is above all others, is the oldest as a rule
        if pid in seen:
            continue
        try:
            root = psutil.Process(pid)
            seen.update((one.pid, one) for one in (root, *root.children(recursive=True)))
        except psutil.NoSuchProcess:
            pass
        except psutil.Error as error:
            raise OSError(f"the processes of this machine cannot be read: {error}") from error
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


def own_mb(process: Process) -> float:
    """The proportional set size of one of our own processes; of one not ours to read, its RSS."""
    import psutil

    try:
        return float(process.memory_full_info().pss) / MB
    except psutil.AccessDenied:
        return float(process.memory_info().rss) / MB
