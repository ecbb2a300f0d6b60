"""Who ends a home's sheets when all of ours are killed at once: heart, conductor, workers, helpers.

Each of ours holds the lock of the home's control group, which the kernel takes back at its death. A
shell waits for that lock, which it gets when nobody is left, kills the group, and takes
it away, still under the lock: a start that comes meanwhile waits, and makes the group anew.
It stands apart (a session, an environment and a name of its own), so that whoever ends ours by
name, by group or by session does not meet it. Whoever ends it, too, leaves sheets that shed all
marks to the next start of the home, or to systemd, where that keeps the conductor.

Standard library only: the heart uses this file.
"""

from __future__ import annotations

import fcntl
import os
import signal

from marianne.walls import cgroups

SHELL, FLOCK = "/bin/sh", ("/usr/bin/flock", "/bin/flock")
# By the descriptor, wherever the shell stands; for five seconds: no start waits for a hung disk.
_WORDS = """flock -x 3 || exit; echo 1 >&4 || exit 0; n=50
while find /proc/self/fd/3/ -mindepth 1 -depth -type d -exec rmdir {} +
! rmdir "$(readlink /proc/self/fd/3)" && [ $((n-=1)) -gt 0 ]; do sleep .1; done"""
_ALL = tuple(s for s in signal.valid_signals() if s not in (signal.SIGKILL, signal.SIGSTOP))


class LastWatch:
    """One for a heart. ``pid`` is that of the shell, 0 where none waits."""

    def __init__(self) -> None:
        self.pid = 0
        self._lock = -1

    def begin(self, base: str | None) -> None:
        """Holds the lock of BASE and has it watched; nothing where it does. Raises OSError."""
        if self.pid or base is None or not any(map(os.path.exists, FLOCK)):
            return
        if self._lock < 0:
            self._lock = cgroups.hold(base)
        opened = [os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
        try:
            opened.append(os.open(f"{base}/cgroup.kill", os.O_WRONLY | os.O_CLOEXEC))
            opened.append(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC))
            # Out of the way of the numbers that they get.
            opened += [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in opened[:2]]
            places = [
                (opened[2], 0),
                (opened[2], 1),
                (opened[2], 2),
                (opened[3], 3),
                (opened[4], 4),
            ]
            self.pid = os.posix_spawn(
                *(SHELL, ["sh", "-c", _WORDS], {"PATH": os.defpath}),
                file_actions=[
                    *((os.POSIX_SPAWN_DUP2, fd, number) for fd, number in places),
                    *((os.POSIX_SPAWN_CLOSE, fd) for fd in _passed_on()),
                ],
                setsid=True,
                setsigmask=(),
                setsigdef=_ALL,
            )
        finally:
            for fd in opened:
                os.close(fd)

    def ended(self, status: int, base: str | None) -> None:
        """The shell was reaped: one that was killed is replaced. Raises OSError."""
        self.pid = 0
        if os.WIFSIGNALED(status):
            self.begin(base)


def _passed_on() -> list[int]:
    """What a conductor inherits, the lock of the home above all: the shell must not hold it."""
    found = []
    for fd in map(int, os.listdir("/proc/self/fd")):
        try:
            if fd > 4 and os.get_inheritable(fd):
                found.append(fd)
        except OSError:
            pass  # the listing's own, which is closed
    return found
