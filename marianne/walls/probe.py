"""What this machine lets us do, found by doing it, in a child that ends.

Run by its path (``python -I -S probe.py``) it prints what it found as one line of JSON: a fork of a
process with threads can hang, and who asks has threads.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple

if __name__ == "__main__":  # by its path: the package is two directories up
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from marianne.walls import kernel, landlock

NOT_TRIED = -1
SECONDS = 20.0
"""What the probe may take on a machine that is busy; it takes 20 ms on one that is not."""


class Probe(NamedTuple):
    """What was found: an errno each, 0 where it works, NOT_TRIED after what it stands on failed.

    ``landlock`` is its version, or minus an errno. ``user`` is the namespace that lets one who is
    not root make the others, ``needs_user`` whether we need it. ``pids`` is a namespace of
    processes and one of what they share (IPC), ``mounts`` a mount namespace in which all is made
    read-only, ``proc`` a /proc of its own in a namespace of processes.
    """

    landlock: int
    needs_user: bool
    user: int
    pids: int
    mounts: int
    proc: int
    network: int


def look() -> Probe:
    """Tries it. Forks: only for a process with one thread."""
    try:
        version = landlock.abi()
    except OSError as error:
        version = -(error.errno or errno.EIO)
    needs_user = not has_admin()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            _attempt(write, needs_user)
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        found = stream.read()
    os.waitpid(child, 0)
    steps = json.loads(found) if found else []
    steps += [errno.EIO] * (5 - len(steps))
    user, pids, mounts, proc, network = steps
    return Probe(version, needs_user, user, pids, mounts, proc, network)


def ask() -> Probe:
    """The same from any process; 15 ms more. What cannot be asked for is not there."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", os.path.abspath(__file__)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
            check=True,
        )
        return Probe(*json.loads(done.stdout))
    except (OSError, ValueError, TypeError, subprocess.SubprocessError):
        return Probe(-errno.EIO, needs_user=False, user=0, **dict.fromkeys(_STEPS, errno.EIO))


_STEPS = ("pids", "mounts", "proc", "network")
_SYS_ADMIN = 21


def has_admin() -> bool:
    """Whether this process may make namespaces as it is."""
    with open("/proc/thread-self/status", "rb") as file:
        for line in file:
            if line.startswith(b"CapEff:"):
                return bool(int(line.split()[1], 16) >> _SYS_ADMIN & 1)
    return False


def enter_user_namespace() -> None:
    """Into one of our own, in which we are who we were and may make other namespaces. Only for a
    process with one thread; there is no way back."""
    uid, gid = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "wb") as file:
            file.write(text.encode())


def _attempt(write: int, needs_user: bool) -> None:
    user = _tried(enter_user_namespace) if needs_user else 0
    if user:
        os.write(write, json.dumps([user, *[NOT_TRIED] * 4]).encode())
        return
    network = _tried(lambda: kernel.unshare(kernel.CLONE_NEWNET))
    pids = _tried(lambda: kernel.unshare(kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC))
    if pids:
        mounts, proc = _mounts(own_pids=False)
        os.write(write, json.dumps([user, pids, mounts, proc, network]).encode())
        return
    child = os.fork()
    if child == 0:
        try:
            mounts, proc = _mounts(own_pids=True)
            os.write(write, json.dumps([user, pids, mounts, proc, network]).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def _mounts(own_pids: bool) -> tuple[int, int]:
    def read_only() -> None:
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.keep_mounts_to_ourselves()
        place = os.path.realpath("/tmp")
        tree = kernel.open_tree(place)
        kernel.make_read_only("/")
        kernel.mount("tmpfs", place, kernel.MS_NOSUID | kernel.MS_NODEV)
        kernel.attach(tree, place)

    mounts = _tried(read_only)
    if mounts or not own_pids:
        return mounts, NOT_TRIED
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    return mounts, _tried(lambda: kernel.mount("proc", "/proc", flags))


def _tried(step: Callable[[], None]) -> int:
    try:
        step()
    except OSError as error:
        return error.errno or errno.EIO
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    print(json.dumps(look()))
