"""The namespaces of an attempt, open on descriptors, and the process that is the first in them.

In a namespace of processes the first one adopts every orphan, and when it dies the kernel kills all
that is in there, whatever it shed. So it is a fork of its maker, the worker, that does nothing and
dies with it: by PR_SET_PDEATHSIG, and by a pidfd for the case that the worker is gone before that
is set. It reaps by ignoring SIGCHLD, and no signal from within reaches it, for it handles none
(pid_namespaces(7)). The sheet's program is not the first but the second: signals do to it what they
do anywhere, and it stays the worker's child, which learns its exit status and outer pid as ever.

Making a room takes two forks; it can be used again by who comes next, once it is empty.
"""

from __future__ import annotations

import errno
import os
import select
import signal
from contextlib import suppress
from typing import NoReturn

from marianne.walls import kernel
from marianne.walls.blueprint import Blueprint, Step, steps
from marianne.walls.covers import Covers
from marianne.walls.probe import enter_user_namespace, has_admin

_MOST_DESCRIPTORS = 1 << 20
_COVER = kernel.MS_NOSUID | kernel.MS_NODEV
_PROC = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC

_KINDS = (
    ("user", kernel.CLONE_NEWUSER),
    ("net", kernel.CLONE_NEWNET),
    ("pid", kernel.CLONE_NEWPID),
    ("mnt", kernel.CLONE_NEWNS),
)


class WallError(OSError):
    """A wall that is asked for could not be built. ``errno`` says whether that may pass."""


class Room:
    """``first`` is the process that keeps it, None where there is no namespace of processes. Who
    reaps that process says so by ``gone``: its number may be another's then. ``of_user``: it stands
    in a user namespace, which a thread cannot enter, only a process."""

    __slots__ = ("_covers", "_held", "first", "gone", "of_user")

    def __init__(
        self, first: int | None, held: list[tuple[int, int]], covers: Covers | None = None
    ) -> None:
        self.first = first
        self.gone = False
        self._covers = covers
        self.of_user = any(kind == kernel.CLONE_NEWUSER for kind, _ in held)
        self._held = held

    def enter(self) -> None:
        """Puts the calling thread in it; of processes, what it will start.

        Shared memory, semaphores and message queues outlive who made them, until their namespace
        is gone: whoever enters a room of processes has one of his own."""
        kernel.unshare(kernel.CLONE_FS)
        for kind, descriptor in self._held:
            kernel.setns(descriptor, kind)
        if self.first is not None:
            kernel.unshare(kernel.CLONE_NEWIPC)

    def clear(self) -> bool:
        """Removes what was left in it; whether it is as it was when it was made. Nobody may live
        in it."""
        return self._covers is None or self._covers.clear()

    def end(self) -> None:
        """Kills all that is in its namespace of processes, and lets go of the others. Its maker
        reaps the first process when it hears of it."""
        for _, descriptor in self._held:
            os.close(descriptor)
        self._held = []
        if self._covers is not None:
            self._covers.close()
            self._covers = None
        self.kill()

    def kill(self) -> None:
        """Kills all that is in its namespace of processes."""
        if self.first is not None and not self.gone:
            with suppress(ProcessLookupError):
                os.kill(self.first, signal.SIGKILL)


def needs_room(plan: Blueprint) -> bool:
    """Whether any of it is a namespace."""
    return plan.pids or plan.mounts or plan.network


def build(plan: Blueprint) -> Room:
    """A new room, by a user namespace where we may not make one else. Raises WallError. Forks: what
    runs in the child is of this file, and takes no lock that another thread may hold. The caller
    must be a subreaper."""
    kinds = _kinds(plan)
    said, say = os.pipe2(os.O_CLOEXEC)
    go, let_go = os.pipe2(os.O_CLOEXEC)
    maker = os.pidfd_open(os.getpid())
    try:
        builder = os.fork()
        if builder == 0:
            _build(plan, kinds, say, go, maker)
        os.close(say)
        say = -1
        return _hear(plan, kinds, builder, said)
    finally:
        for descriptor in (said, say, go, let_go, maker):
            if descriptor >= 0:
                os.close(descriptor)


def _hear(plan: Blueprint, kinds: dict[str, int], builder: int, said: int) -> Room:
    """What the builder and the first process say, a line each."""
    first: int | None = None
    held: list[tuple[int, int]] = []
    ready = False
    try:
        with os.fdopen(os.dup(said), "r", encoding="utf-8", errors="replace") as stream:
            for line in stream:
                word, _, rest = line.rstrip("\n").partition(" ")
                if word == "first":
                    first = int(rest)
                elif word == "error":
                    code, _, text = rest.partition(" ")
                    raise WallError(int(code), text)
                elif word == "ready":
                    ready = True
                if ready and (first or not plan.pids):  # two speak: either may be the first to
                    break
        if not ready or (plan.pids and not first):
            raise WallError(errno.EAGAIN, "the process that builds the walls has died")
        keeper = first or builder
        for name, kind in kinds.items():
            where = f"/proc/{keeper}/ns/{name}"
            held.append((kind, os.open(where, os.O_RDONLY | os.O_CLOEXEC)))
        return Room(first, held, _covers(plan, f"/proc/{keeper}/root"))
    except BaseException:
        Room(first, held).end()
        raise
    finally:
        if first is None:
            with suppress(ProcessLookupError):
                os.kill(builder, signal.SIGKILL)
        os.waitpid(builder, 0)


def _covers(plan: Blueprint, root: str) -> Covers | None:
    if not plan.private:
        return None
    return Covers(root, plan.private, [one.path for one in steps(plan)])


def _kinds(plan: Blueprint) -> dict[str, int]:
    """The namespaces of a room, in the order in which they are entered."""
    wanted = {"user": not has_admin(), "net": plan.network, "pid": plan.pids, "mnt": plan.mounts}
    return {name: kind for name, kind in _KINDS if wanted[name]}


def _build(plan: Blueprint, kinds: dict[str, int], say: int, go: int, maker: int) -> NoReturn:
    """In a fork of the worker. Nothing of the worker's own may run here but what stands below."""
    try:
        _forget_the_worker((say, go, maker))
        kernel.take_name("marianne-first")
        try:
            if "user" in kinds:
                enter_user_namespace()
            kernel.unshare(sum(kind for name, kind in kinds.items() if name != "user"))
            if plan.pids:
                first = os.fork()
                if first:
                    os.write(say, f"first {first}\n".encode())
                    os._exit(0)
            if plan.mounts:
                _mount(plan)
        except OSError as error:
            text = (error.strerror or "").replace("\n", " ")
            os.write(say, f"error {error.errno} {text}\n".encode())
            os._exit(1)
        os.write(say, b"ready\n")
        os.close(say)
        os.read(go, 1)  # ends when the maker has taken what it needs, or has died
        kernel.let_nobody_trace()
        kernel.die_with_parent(signal.SIGKILL)
        poll = select.poll()
        poll.register(maker, select.POLLIN)
        while not poll.poll():
            pass
    finally:
        os._exit(0)


def _forget_the_worker(keep: tuple[int, ...]) -> None:
    """Signals do by default what they do, and no descriptor of the worker's is held open."""
    signal.set_wakeup_fd(-1)
    for signum in signal.valid_signals():
        if signum not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(signum, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    low = 3
    for descriptor in (*sorted(keep), _MOST_DESCRIPTORS):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.setpgid(0, 0)
    os.chdir("/")


def _mount(plan: Blueprint) -> None:
    """All mounts of the room, in this mount namespace."""
    kernel.keep_mounts_to_ourselves()
    todo = steps(plan)
    trees = {one.path: kernel.open_tree(one.path) for one in todo if one.what in ("keep", "show")}
    if plan.writable is not None:
        kernel.make_read_only("/")
    for one in todo:
        _mount_one(one, trees)
    for one in todo:
        if one.what == "hide" and os.path.ismount(one.path):
            kernel.make_read_only(one.path, deep=False)
    if plan.proc:
        kernel.mount("proc", "/proc", _PROC)
        if plan.root and plan.writable is not None:
            kernel.make_read_only("/proc", deep=False)


def _mount_one(one: Step, trees: dict[str, int]) -> None:
    if one.what == "cover":
        os.makedirs(one.path, exist_ok=True)
        kernel.mount("tmpfs", one.path, _COVER, "mode=1777")
    elif one.what == "hide":
        if os.path.isdir(one.path):
            kernel.mount("tmpfs", one.path, _COVER, "mode=0700,size=1m")
    else:
        _mount_point(one.path, trees[one.path])
        if one.what == "show":
            kernel.make_read_only(tree=trees[one.path])
        kernel.attach(trees[one.path], one.path)


def _mount_point(path: str, tree: int) -> None:
    """What was covered has no place any more: it gets one, of the same kind."""
    if os.path.exists(path):
        return
    if os.path.isdir(f"/proc/self/fd/{tree}"):
        os.makedirs(path)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
