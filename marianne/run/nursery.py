"""All processes below a worker: each child tree has one owner, and ends with it, entirely.

The worker is a subreaper, so whatever a sheet leaves behind (setsid, double fork, a daemon) becomes
the worker's own child the moment its parent dies. Every living remnant of a sheet therefore stands
below a child of ours that is no leader: one cheap look at our children says whether there is any.
Which sheet an orphan came from is told by its watermark, its group, its environment, and where it
shed all of these by time: it may stay only while a sheet runs that is old enough to be its origin.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from marianne.run import procfs, watermark
from marianne.run.child import Child, Ended, OnDone
from marianne.run.confine import FIRST_PAUSE, Ladder, signal_exact
from marianne.run.enclosure import Enclosure
from marianne.run.loop import Loop, Timer
from marianne.run.own_limits import Cores
from marianne.run.procfs import Stat
from marianne.run.spawn import Command
from marianne.run.watermark import Watermark
from marianne.walls.cgroups import group_of

if TYPE_CHECKING:
    from marianne.walls.room import Room

# What is just ending when its sheet ends (the tee of a `> >(tee log)`) may finish in peace and is
# not reported.
SETTLE_SECONDS = 0.1
WHO_SECONDS = 0.2
"""How long a death that somebody asked for waits to be judged. Who ends all that runs here, as a
machine does that goes down, reaches us a moment after what runs below us: then it is no failure."""
# How long after SIGKILL a survivor is waited for: only uninterruptible sleep or another user's
# process withstands it, and neither may hold a sheet for ever.
PATIENCE_SECONDS = 10.0


FLOOR_MARGIN_KB = 512
"""The kernel counts memory in batches: two readings of the same may differ by so much."""


class Nursery:
    """Starts children, ends them, and tells their owner when the last process of each is gone.

    ``reap`` must be called after each SIGCHLD. ``label`` of a child is ``MARIANNE_SHEET`` and
    ``MARIANNE_ATTEMPT`` joined by a dot, as its environment says.
    """

    def __init__(
        self, loop: Loop, owner: str, mark: Watermark, enclosure: Enclosure | None = None
    ) -> None:
        self._loop = loop
        self._enclosure = enclosure or Enclosure()
        self._owner = owner
        self._watermark = mark
        self._cores = Cores()
        self._own = procfs.MainThreadsChildren()
        self._leaders: dict[int, Child] = {}  # by pid, until the leader is reaped
        self._alive: dict[int, Child] = {}  # by pid of the leader, until the whole tree is gone
        self._by_mark: dict[int, Child] = {}
        self._origin: dict[int, Child | None] = {}  # of adopted orphans
        self._rooms: dict[int, Room] = {}  # by the process that keeps it
        self._timer: Timer | None = None

    def close(self) -> None:
        """Gives back what it has open; nothing is left to look after."""
        self._own.close()

    def __len__(self) -> int:
        return len(self._alive)

    def start(
        self,
        command: Command,
        on_done: OnDone,
        label: str,
        grace: float,
        limits: Mapping[str, float] | None = None,
    ) -> Child:
        """Spawns and owns a child; raises SpawnError. ``on_done`` is called exactly once.
        ``limits`` are set in its control group, or it is not started: OSError."""
        born = procfs.now_ticks()
        mark = self._watermark.put_on()
        self._cores.lend()
        try:
            self._take_room(command)
            pid, group = self._enclosure.spawn(command, limits or {})
        except BaseException:
            if command.room is not None:
                command.room.end()
            raise
        finally:
            self._cores.take_back()
            self._watermark.take_off()
        child = Child(pid, born, mark, label, grace, on_done)
        child.group = group
        child.walls, child.room = command.walls, command.room
        # Until its exec a child has our memory (vfork), and at the exec the kernel takes the most
        # that this memory ever was into the child's ru_maxrss (exec_mmap). So what it says is the
        # child's own only where it is more than that. VmHWM, which is the child's own, goes with
        # its memory: of one that has ended nobody can read it.
        child.floor_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + FLOOR_MARGIN_KB
        self._leaders[pid] = self._alive[pid] = child
        if mark is not None:
            self._by_mark[mark] = child
        return child

    def _take_room(self, command: Command) -> None:
        """Within the marks: the process that keeps a room is the attempt's as well."""
        if command.walls is None:
            return
        command.room = room = command.walls.take()
        if room is not None and room.first is not None:
            self._rooms[room.first] = room

    def end(self, child: Child, grace: float | None = None) -> None:
        """SIGTERM, grace, SIGKILL for the whole tree. Again with a shorter grace: hurries."""
        if child.pid not in self._alive:
            return
        now, grace = time.monotonic(), child.grace if grace is None else grace
        child.asked_to_end = True
        self.hold(child, False)  # one that stands still could not hear
        if child.ladder is None:
            child.ladder = Ladder(now, grace)
        else:
            child.ladder.shorten(now, grace)
        self._sweep()

    def hold(self, child: Child, on: bool) -> bool:
        """Has all of a child stand still where it stands, or go on; returns whether it could: it
        needs a control group."""
        if child.group is None:
            return False
        if child.held is not on:
            try:
                child.group.freeze(on)
            except OSError:
                return False
            child.held = on
        return True

    def members(self, child: Child, look: dict[int, Stat]) -> dict[int, Stat]:
        """The living processes of a child's tree."""
        return procfs.descendants(self._roots().get(child, set()), look)

    def look_at_memory(self, child: Child) -> None:
        """Notes the most that a process of a living child's has had, where that is less than ours:
        what is more, its end tells; and until its exec a child has our memory."""
        peak = procfs.high_water_mb(child.pid)
        if peak * 1024 < child.floor_kb:
            child.peak_mb = max(child.peak_mb, peak)

    # -- endings

    def reap(self) -> None:
        """Collects what has ended; tells owners whose trees are gone, begins to sweep others."""
        ended = []
        reaped = 0
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            reaped += 1
            floor_kb = 0
            child = self._leaders.pop(pid, None)
            if child is not None:
                floor_kb = child.floor_kb
                child.status = status
                ended.append(child)
            else:
                child = self._origin.pop(pid, None)
                if pid in self._rooms:
                    self._rooms.pop(pid).gone = True
            if child is not None:
                child.cpu_seconds += usage.ru_utime + usage.ru_stime
                if usage.ru_maxrss > floor_kb:
                    child.peak_mb = max(child.peak_mb, usage.ru_maxrss / 1024)
        if reaped:
            self._look(ended)

    def _look(self, ended: list[Child]) -> None:
        roots = self._roots()
        waiting = [c for c in self._alive.values() if c.status is not None]
        for child in waiting:
            if not roots.get(child):
                self._finish(child, ())
            elif child.ladder is not None:
                self._again(FIRST_PAUSE)
            elif child in ended:
                child.settle_until = time.monotonic() + SETTLE_SECONDS
                self._again(SETTLE_SECONDS)

    def _roots(self) -> dict[Child, set[int]]:
        """For each child tree the topmost living processes of it. Ends strays at once."""
        roots: dict[Child, set[int]] = {c: {c.pid} for c in self._leaders.values()}
        for pid in self._children():
            if pid in self._leaders or pid in self._rooms:
                continue
            look = procfs.stat(pid)
            if look is None or look.dead:
                continue
            if pid not in self._origin:
                self._origin[pid] = self._trace(look)
            origin = self._origin[pid] or self._oldest_possible(look)
            if origin is None or origin.pid not in self._alive:
                signal_exact(pid, look.start_time, signal.SIGKILL)
            else:
                roots.setdefault(origin, set()).add(pid)
        if self._rooms:
            self._add_rooms(roots)
        return roots

    def _add_rooms(self, roots: dict[Child, set[int]]) -> None:
        """Orphans in a namespace of processes are adopted by its first process, not by us."""
        for child in self._alive.values():
            first = child.room.first if child.room is not None else None
            below = procfs.children(first) if first in self._rooms else None
            if below:
                roots.setdefault(child, set()).update(below)

    def _children(self) -> list[int]:
        if not self._leaders:
            try:
                # Exact where it answers: no child at all, living or not.
                os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return []
        return self._own.look()

    def _trace(self, orphan: Stat) -> Child | None:
        """Which child an orphan descends from, by what it carries."""
        where = group_of(orphan.pid)
        for child in self._alive.values():
            if child.group is not None and child.group.holds(where):
                return child
        mark = watermark.read(orphan.pid)
        if mark is not None and mark in self._by_mark:
            return self._by_mark[mark]
        if orphan.pgrp in self._alive:
            return self._alive[orphan.pgrp]
        data = procfs.environ(orphan.pid)
        if procfs.environ_value(data, "MARIANNE_OWNER") == self._owner:
            sheet = procfs.environ_value(data, "MARIANNE_SHEET")
            attempt = procfs.environ_value(data, "MARIANNE_ATTEMPT")
            for child in self._alive.values():
                if child.label == f"{sheet}.{attempt}":
                    return child
        return None

    def _oldest_possible(self, orphan: Stat) -> Child | None:
        """For an orphan that carries nothing: a running child that may be its origin, else one
        that is ending, else none: then it is a remnant of a child that is done."""
        able = [c for c in self._alive.values() if c.start_ticks <= orphan.start_time]
        return min(able, key=lambda c: (c.status is not None, c.start_ticks), default=None)

    # -- sweeping

    def _again(self, seconds: float) -> None:
        due = time.monotonic() + seconds
        if self._timer is not None:
            if self._timer.due <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._sweep)

    def _sweep(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        busy = [c for c in self._alive.values() if c.ladder is not None or c.status is not None]
        if not busy:
            return
        self._kill_groups(busy)
        look = procfs.snapshot()
        roots = self._roots()
        now = time.monotonic()
        pauses = []
        for child in busy:
            tops = roots.get(child, set())
            # First what is younger than the look: it may be gone before the rest is told.
            targets = {pid: one for pid in tops - look.keys() if (one := procfs.stat(pid))}
            targets |= procfs.descendants(tops, look)
            if not roots.get(child) and child.status is not None:
                self._finish(child, ())
                continue
            if child.ladder is None and now < child.settle_until:
                pauses.append(child.settle_until - now)
                continue
            if child.status is not None and not child.asked_to_end:
                child.left.update(targets)
            if child.ladder is None:
                child.ladder = Ladder(now, child.grace)
            if now > child.ladder.kill_at + PATIENCE_SECONDS and child.status is not None:
                self._finish(child, tuple(sorted(targets)))
                continue
            if child.room is not None and now >= child.ladder.kill_at:
                child.room.kill()
            child.ladder.press(now, targets.values(), self._groups(child, targets))
            pauses.append(child.ladder.pause(now))
        if pauses:
            self._again(min(pauses))

    def _kill_groups(self, busy: list[Child]) -> None:
        """In one stroke, before a look that takes its time: whoever forks cannot be quicker."""
        now = time.monotonic()
        for child in busy:
            if child.group is not None and child.ladder is not None and now >= child.ladder.kill_at:
                child.group.kill()

    def _groups(self, child: Child, targets: dict[int, Stat]) -> set[int]:
        """The groups that are this child's alone."""
        groups = {one.pgrp for one in targets.values()}
        groups.add(child.pid)
        return {g for g in groups if g == child.pid or g not in self._alive}

    def _finish(self, child: Child, survivors: tuple[int, ...]) -> None:
        if self._alive.pop(child.pid, None) is None:
            return
        if child.mark is not None:
            self._by_mark.pop(child.mark, None)
        if child.walls is not None and child.room is not None:
            child.walls.give_back(child.room, clean=child.ladder is None)
        ended = Ended(child, survivors)
        if child.group is not None:
            if (seconds := child.group.cpu_seconds()) is not None:
                ended.cpu_seconds = seconds  # of those, too, that nobody waited for
            met = self._enclosure.over(child.group)
            ended.exceeded = met if ended.exit_code != 0 else ""
        child.on_done(ended)
