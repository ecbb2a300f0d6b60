"""Ending processes that are ours, completely, and never anybody else's.

Two rules carry this file.

*Done is what a look finds.* No return value of a signal call is believed; a ladder is climbed until
a look finds nobody, or patience ends and the survivors are named.

*A signal needs a proof.* A pid alone is none: it may be a stranger's by now. The proofs are: our
own unreaped child (nobody else can free its number); a pid together with its start time, signalled
through a pidfd; a group of which a member is our own unreaped child.

Standard library only: the worker, the conductor and the heart use the same code.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time

from marianne.run import marked, procfs, watermark
from marianne.run.procfs import Stat

TYPE_CHECKING = False  # for the type checker alone: the heart does without what typing costs
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

_PR_SET_CHILD_SUBREAPER = 36

# Between two looks at processes that should be dying: short at first, then longer.
FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.1
# Seconds that a killed process has, before what stands below it is ended too.
DIES_WITHIN = 1.0
# For who has nothing else to do than to wait: a killed process is gone within a millisecond.
SWEEP_PAUSE = 0.0005
# After the first SIGKILL, to a worker: one ends what stood below it, two find nothing more.
LEAST_LOOKS = 4


# Children that this process had before it became a subreaper: they belong to whoever ran here and
# then called exec, not to us (`setsid sidecar & exec marianne start --foreground`).
_inherited: set[tuple[int, int]] = set()
_subreaper = False
"""Whether this process is one by our own doing. Else its children are not ours to judge: a program
that embeds a conductor has its own, and may be a subreaper for reasons of its own."""


def become_subreaper() -> None:
    """Makes every orphan below this process its child, instead of init's."""
    global _subreaper
    looks = (procfs.stat(pid) for pid in procfs.own_children())
    _inherited.update((one.pid, one.start_time) for one in looks if one is not None)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    _subreaper = True


def signal_exact(pid: int, start_time: int, signum: int) -> bool:
    """Signals the process that has this pid and this start time, and no other.

    The pidfd is taken first and holds the process; the start time then says whose it is. Returns
    whether a signal was sent, which promises nothing about its effect.
    """
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if procfs.start_time(pid) != start_time:
            return False
        signal.pidfd_send_signal(fd, signum)
        return True
    except OSError:
        return False
    finally:
        os.close(fd)


def signal_group(pgrp: int, signum: int) -> bool:
    """Signals a whole group at once, which a fork cannot escape.

    Only while a member is our own unreaped child: that pins the number. Never our own group.
    """
    if pgrp <= 1 or pgrp == os.getpgrp():
        return False
    try:
        os.waitid(os.P_PGID, pgrp, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        os.killpg(pgrp, signum)
        return True
    except OSError:
        return False


class Ladder:
    """SIGTERM to each process once, then, after the grace, SIGKILL to all, again and again.

    A process that appears during the grace gets its SIGTERM when it is first seen. SIGCONT goes
    with it: a stopped process could not hear. The ladder does not wait; its owner calls ``press``
    with what the last look found, until a look finds nothing.
    """

    __slots__ = ("_pause", "_told", "kill_at")

    def __init__(self, now: float, grace: float, first_pause: float = FIRST_PAUSE) -> None:
        self.kill_at = now + grace
        self._told: set[tuple[int, int]] = set()
        self._pause = first_pause

    def shorten(self, now: float, grace: float) -> None:
        """Brings the SIGKILL forward; a ladder never gets longer."""
        self.kill_at = min(self.kill_at, now + grace)

    def press(self, now: float, targets: Iterable[Stat], groups: Collection[int] = ()) -> None:
        """One round. ``groups`` are signalled as a whole, as far as ``signal_group`` dares."""
        if now >= self.kill_at:
            for pgrp in groups:
                signal_group(pgrp, signal.SIGKILL)
            for one in targets:
                signal_exact(one.pid, one.start_time, signal.SIGKILL)
            return
        # The whole group in one stroke, so that a shell cannot see its child die of the signal
        # and start the next line of its script before it gets its own.
        reached = {pgrp for pgrp in groups if (pgrp, 0) not in self._told}
        reached = {pgrp for pgrp in reached if self._tell_group(pgrp)}
        for one in targets:
            key = (one.pid, one.start_time)
            if key in self._told:
                continue
            self._told.add(key)
            if one.pgrp not in reached:
                signal_exact(one.pid, one.start_time, signal.SIGTERM)
                signal_exact(one.pid, one.start_time, signal.SIGCONT)

    def _tell_group(self, pgrp: int) -> bool:
        if not signal_group(pgrp, signal.SIGTERM):
            return False
        signal_group(pgrp, signal.SIGCONT)
        self._told.add((pgrp, 0))
        return True

    def pause(self, now: float) -> float:
        """Seconds until the next look is worth it."""
        self._pause = min(self._pause * 1.5, LONGEST_PAUSE)
        if now < self.kill_at:
            return min(self._pause, self.kill_at - now)
        return self._pause


def sweep(
    find: Callable[[], Iterable[Stat]],
    grace: float = 0.0,
    patience: float = 5.0,
) -> list[Stat]:
    """Ends what ``find`` finds and waits for it; returns the survivors, normally none.

    Gives up ``patience`` seconds after the first SIGKILL, but not before some looks: where one
    takes longer than that, on a machine that is busy, nothing would have been ended. Children of
    ours among the found are reaped, and no other child: whoever calls may have more, with owners
    of their own.

    What stands below a worker is the worker's to end, and gets no signal of ours before that has
    ended: it would hear of the death before it hears that it is to stop, and take it for the
    sheet's own. One that not even SIGKILL ends, for it hangs in its disk, holds nothing up.

    After the grace each is killed as soon as ``find`` yields it: one that forks and ends all the
    time is somebody else before a look at all processes is over. The first look only learns who
    the workers are.
    """
    ladder = Ladder(time.monotonic(), grace, SWEEP_PAUSE)
    workers: set[int] = set()
    known: set[tuple[int, int]] = set()
    empty = since_kill = 0
    over = float("inf")
    first = True

    def ours(one: Stat) -> bool:
        return not workers or one.pid in workers or not procfs.stands_below(one, workers)

    while True:
        killing = not first and time.monotonic() >= ladder.kill_at
        first = False
        if time.monotonic() >= ladder.kill_at + DIES_WITHIN:
            workers.clear()
        found = []
        for one in find():
            found.append(one)
            if killing and not one.dead and ours(one):
                signal_exact(one.pid, one.start_time, signal.SIGKILL)
            reap(one.pid)
        living = [one for one in found if not one.dead]
        new = {(one.pid, one.start_time) for one in living} - known
        known |= new
        workers &= {one.pid for one in living}
        workers |= {pid for pid, _ in new if watermark.is_anyones_worker(pid)}
        # A look is not atomic: one that finds nothing while processes fork may be wrong once.
        empty = 0 if found else empty + 1
        now = time.monotonic()
        if empty >= 2 or (now >= over and since_kill >= LEAST_LOOKS):
            return living
        if found:
            ladder.press(now, [one for one in living if ours(one)])
            if now >= ladder.kill_at:
                since_kill += 1
                over = min(over, now + patience)
            time.sleep(ladder.pause(now))


def reap(pid: int) -> None:
    """Collects ``pid`` if it is an ended child of ours; else does nothing."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def children() -> list[Stat]:
    """Our children, ended ones too, without those that were here before we were a subreaper."""
    looks = (procfs.stat(pid) for pid in procfs.own_children())
    return [one for one in looks if one is not None and (one.pid, one.start_time) not in _inherited]


def adopted(owner: str, spare: Collection[int] = ()) -> list[Stat]:
    """Orphans that a subreaper got: its children in another session than its own.

    For the conductor and the heart, whose own helpers (conductor, forkserver) stay in their
    session. Living workers of this owner, which come to us when their forkserver dies, are none;
    nor is what ``spare`` names, nor a child that was here before we were a subreaper. As process 1
    of a container we get everybody's orphans: there the mark must say that one is ours. Ended ones
    are found too, so that they get reaped.
    """
    if not _subreaper:
        return []
    anyones = os.getpid() == 1
    session = os.getsid(0)
    return [
        one
        for one in children()
        if one.pid not in spare
        and one.session != session
        and (one.dead or not marked.is_worker(one.pid, owner))
        and (one.dead or not anyones or marked.carries(one.pid, owner))
    ]


def adopted_trees(owner: str, spare: Collection[int] = ()) -> Iterator[Stat]:
    """``adopted`` and everything below it."""
    return _trees(adopted(owner, spare))


def all_below() -> Iterator[Stat]:
    """Every child of this process and everything below it; for a process that is about to end."""
    return _trees(children())


def _trees(roots: list[Stat]) -> Iterator[Stat]:
    yield from roots
    if roots:
        pids = {one.pid for one in roots}
        below = procfs.descendants(pids, procfs.snapshot())
        yield from (one for one in below.values() if one.pid not in pids)


def sweep_orphans(
    owner: str,
    job_id: str | None = None,
    *,
    spare: Collection[int] = (),
    grace: float = 0.0,
    patience: float = 5.0,
    everywhere: bool = True,
) -> list[int]:
    """Ends what a worker that died left behind; returns the pids that were found.

    All that a worker leaves comes to the nearest subreaper above it. Where that is this process,
    a look at its own children is enough, and hundreds of times cheaper: not ``everywhere``.

    Found are processes marked as sheets of this owner (and of this job, where one is named; else
    workers of this owner too), and
    children that this process got as a subreaper, whatever they carry: below us only a worker
    that died leaves such. ``spare`` are pids that live rightly, and everything below them:
    workers whose sheets must go on, when no job is named, and own helpers in sessions of their
    own.
    """
    found: dict[int, Stat] = {}

    def look() -> Iterator[Stat]:
        sources = [adopted_trees(owner, spare)]
        if everywhere or not _subreaper:
            sources.append(marked.left_behind(owner, job_id, spare=spare))
        for source in sources:
            for one in source:
                found[one.pid] = one
                yield one

    sweep(look, grace, patience)
    return sorted(found)
