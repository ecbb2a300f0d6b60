"""One operating system process, known by pidfd and start time, so that no stranger is signalled."""

from __future__ import annotations

import errno
import os
import select
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actors.future import Latch

if TYPE_CHECKING:
    from actors.runtime import Runtime


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """How a process ended: an exit code, or the signal that ended it.

    Both are None when it was nobody's to wait for (adopted, or its forkserver died first).
    """

    exit_code: int | None = None
    signal: int | None = None


class Process:
    """A process that is watched until its end."""

    def __init__(
        self, runtime: Runtime, pid: int, start_time: int, pidfd: int, name: str, kept: Any = None
    ) -> None:
        self.pid = pid
        self.start_time = start_time
        self.name = name
        self.exited: Latch[ProcessExit] = Latch(runtime)
        self.pidfd = pidfd
        self._lock = runtime.lock()
        # multiprocessing's object holds the pipes of the child; dropping it closes them.
        self.kept = kept

    def __repr__(self) -> str:
        return f"<Process {self.name} pid={self.pid}>"

    def alive(self) -> bool:
        """False once it has ended, also before anybody was told."""
        with self._lock:
            if self.pidfd < 0:
                return False
            return not has_ended(self.pidfd)

    def signal(self, number: int) -> bool:
        """Sends a signal; False if the process has ended. Never reaches a later user of its pid."""
        # Under the lock, or the pidfd could be closed, and its number reused, before the call.
        with self._lock:
            if self.pidfd < 0:
                return False
            try:
                signal.pidfd_send_signal(self.pidfd, number)
            except ProcessLookupError:
                return False
            return True

    def kill(self) -> bool:
        """SIGKILL."""
        return self.signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> ProcessExit | None:
        """Waits for its end; None if it still runs after `timeout` seconds."""
        return self.exited.value() if self.exited.wait(timeout) else None

    def settle(self, how: ProcessExit) -> None:
        """It has ended. For its watcher."""
        with self._lock:
            pidfd, self.pidfd = self.pidfd, -1
            if pidfd >= 0:
                os.close(pidfd)
        self.kept = None
        self.exited.settle(how)


def start_time_of(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat, in clock ticks since boot; None if there is no such process.

    Together with the pid it names a process for as long as the machine runs. OSError when it
    cannot be read for want of descriptors.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            text = stat.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the command in parentheses and may hold anything, also ")".
    return int(text[text.rindex(b")") + 2 :].split()[19])


def open_pidfd(pid: int, start_time: int | None = None) -> tuple[int, int] | None:
    """A pidfd and the start time of the process; None if it is gone or started at another time.

    The start time is read after the pidfd is open: the pid cannot change hands in between.
    OSError when this process or the machine has no descriptor left: then nobody knows.
    """
    try:
        pidfd = os.pidfd_open(pid)
    except (ProcessLookupError, ValueError):
        return None
    except OSError as error:
        # No number of a process, or one of a thread: of that the kernel says the one or the other.
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return None
        raise
    try:
        found = start_time_of(pid)
    except OSError:
        os.close(pidfd)
        raise
    if found is None or (start_time is not None and found != start_time):
        os.close(pidfd)
        return None
    return pidfd, found


def has_ended(pidfd: int) -> bool:
    """Whether the process behind a pidfd has ended, also when nobody has reaped it yet."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))
