"""Turning a fresh forkserver child into a worker process: what it inherits is put right."""

from __future__ import annotations

import os
import signal

from marianne.run import own_limits
from marianne.run.confine import become_subreaper

EXIT_CLEAN, EXIT_LEFT = 0, 1
"""How a worker ends: whether a last look found none of the sheets' processes. A crash exits with 1,
too."""

NOTED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)
"""What a worker hears of through a descriptor."""


SHEETS_UMASK = 0o022
"""For what sheets make. What we make ourselves has its mode said each time."""

IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)
"""Ours alone: a write to a peer that is gone, or to a file that may not grow, is an error and not
our end. Spawning resets them."""


def incarnation_of(pid: int, start_time: int | None) -> str:
    """Names a worker process among all of this boot: on the link, and in its hello."""
    return f"{pid}-{start_time}"


def become_worker() -> None:
    """A session of its own, the adopter of all orphans below, and nothing odd left to inherit."""
    if os.getsid(0) != os.getpid():
        os.setsid()
    become_subreaper()
    os.umask(SHEETS_UMASK)
    own_limits.restore_files()
    for signum in signal.valid_signals():
        if signum not in (signal.SIGKILL, signal.SIGSTOP, *IGNORED):
            signal.signal(signum, signal.SIG_DFL)
    for signum in IGNORED:
        signal.signal(signum, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _close_on_exec()


def _close_on_exec() -> None:
    """No sheet gets a descriptor of ours, whoever left it open above us."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if int(name) > 2:
                os.set_inheritable(int(name), False)
        except OSError:
            continue  # the one that listed the directory


class Signals:
    """SIGCHLD and SIGTERM as bytes on a descriptor that a selector can wait for."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for signum in NOTED:
            signal.signal(signum, _noted)

    def fileno(self) -> int:
        """What to wait for."""
        return self._read

    def close(self) -> None:
        """They do again what they do by default: noted by nobody, SIGTERM would be lost."""
        for signum in NOTED:
            signal.signal(signum, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        os.close(self._read)
        os.close(self._write)

    def take(self) -> set[int]:
        """The signals since the last call."""
        try:
            return set(os.read(self._read, 4096))
        except BlockingIOError:
            return set()


def _noted(_signum: int, _frame: object) -> None:
    """A handler must exist, or the signal does its default and writes no byte."""
