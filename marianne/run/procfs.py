"""What the kernel says about processes.

Standard library only, and few modules of it: the heart imports this file too and must stay small.
All readers answer None (or nothing) for a process that is gone; they never raise for it.
"""

from __future__ import annotations

import errno
import os
import time

TYPE_CHECKING = False  # for the type checker alone: the heart does without what typing costs
if TYPE_CHECKING:
    from collections.abc import Collection

DEAD_STATES = "ZXx"
_TICKS = os.sysconf("SC_CLK_TCK")
_PF_EXITING = 0x4  # include/linux/sched.h
_SIGKILL_BIT = 1 << (9 - 1)
_LOOKED_AT = 16
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


def pidfd_of(pid: int) -> int | None:
    """A pidfd of the process that has this number now, whichever it is; None if none has it.

    OSError when there is no descriptor left for it.
    """
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    except OSError as error:
        # A dead process's number may be a thread's by now; the kernel says the one or the other.
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return None
        raise


class Stat:
    """One look at one process. ``start_time`` is in clock ticks since boot (field 22)."""

    __slots__ = ("pgrp", "pid", "ppid", "rss_mb", "session", "start_time", "state")

    def __init__(
        self,
        pid: int,
        state: str,
        ppid: int,
        pgrp: int,
        session: int,
        start_time: int,
        rss_mb: float,
    ) -> None:
        self.pid = pid
        self.state = state
        self.ppid = ppid
        self.pgrp = pgrp
        self.session = session
        self.start_time = start_time
        self.rss_mb = rss_mb

    @property
    def dead(self) -> bool:
        """Whether it has ended and only waits to be reaped."""
        return self.state in DEAD_STATES

    def __repr__(self) -> str:
        return f"Stat(pid={self.pid}, state={self.state!r}, ppid={self.ppid}, pgrp={self.pgrp})"


def _read(path: str) -> bytes | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = os.read(fd, 65536)
        chunk = data
        while len(chunk) == 65536:
            chunk = os.read(fd, 65536)
            data += chunk
        return data
    except OSError:
        return None
    finally:
        os.close(fd)


def stat(pid: int) -> Stat | None:
    """Reads /proc/PID/stat; a zombie is still found (see ``Stat.dead``)."""
    data = _read(f"/proc/{pid}/stat")
    if not data:
        return None
    # The program's name stands in brackets and may hold brackets and blanks itself.
    fields = data[data.rindex(b")") + 2 :].split()
    return Stat(
        pid,
        fields[0].decode(),
        int(fields[1]),
        int(fields[2]),
        int(fields[3]),
        int(fields[19]),
        int(fields[21]) * _PAGE_MB,
    )


def ending(pid: int) -> bool:
    """Whether ``pid`` is gone, has ended, or is on its way out: killed, or in its exit.

    Until it is gone it may still hold what it had open, its locks too.
    """
    data = _read(f"/proc/{pid}/stat")
    if not data:
        return True
    fields = data[data.rindex(b")") + 2 :].split()
    if fields[0].decode() in DEAD_STATES or int(fields[6]) & _PF_EXITING:
        return True
    for line in (_read(f"/proc/{pid}/status") or b"").splitlines():
        # The kernel leaves it there when it has been taken, to the end of the process.
        if line.startswith(b"ShdPnd:"):
            return bool(int(line.split()[1], 16) & _SIGKILL_BIT)
    return True


def start_time(pid: int) -> int | None:
    """When ``pid`` started, which together with the pid names one process of this boot."""
    found = stat(pid)
    return found.start_time if found else None


def cpu_ticks(pid: int) -> int | None:
    """The CPU time that ``pid`` has used, in clock ticks; None when it is gone."""
    data = _read(f"/proc/{pid}/stat")
    if not data:
        return None
    fields = data[data.rindex(b")") + 2 :].split()
    return int(fields[11]) + int(fields[12])


def lives(pid: int, start: int) -> bool:
    """Whether the process that started as ``pid`` at that time has not ended."""
    found = stat(pid)
    return found is not None and found.start_time == start and not found.dead


def boot_id() -> str:
    """The id of this boot: recorded pids and start times mean something only under the same one."""
    return (_read("/proc/sys/kernel/random/boot_id") or b"").decode().strip()


def now_ticks() -> int:
    """The present in the unit of ``Stat.start_time``."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * _TICKS)


def take_name(name: str) -> None:
    """What ``ps -o comm`` calls this process; at most 15 bytes count."""
    try:
        with open("/proc/self/comm", "w", encoding="ascii") as file:
            file.write(name)
    except OSError:
        pass  # nobody goes by it


def name(pid: int) -> str:
    """What ``ps -o comm`` calls it; empty when it is gone."""
    return (_read(f"/proc/{pid}/comm") or b"").decode(errors="replace").rstrip("\n")


def pids() -> list[int]:
    """All processes, ended ones that wait to be reaped included."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def newest() -> int:
    """The number that was given last, to a process or a thread (proc(5), loadavg)."""
    return int((_read("/proc/loadavg") or b"0").split()[-1])


def is_process(pid: int) -> bool:
    """Whether the number is a living process's, not one of its other threads'."""
    for line in (_read(f"/proc/{pid}/status") or b"").splitlines():
        if line.startswith(b"Tgid:"):
            return int(line.split()[1]) == pid
    return False


def stands_below(one: Stat, tops: Collection[int]) -> bool:
    """Whether one of its parents, as they are now, is among ``tops``."""
    while one.ppid > 1:
        if one.ppid in tops:
            return True
        # A parent that has just ended has left its children to somebody else.
        above = stat(one.ppid) or stat(one.pid)
        if above is None:
            return False
        one = above
    return False


def snapshot() -> dict[int, Stat]:
    """All living processes. Not atomic: what is born during the look may be missing."""
    found = {}
    for pid in pids():
        one = stat(pid)
        if one is not None and not one.dead:
            found[pid] = one
    return found


def high_water_mb(pid: int) -> float:
    """The most memory that the process, or one below it, has had so far, in MB: VmHWM of
    proc_pid_status(5), which begins anew with an exec. 0.0 when it is gone; of a tree of more than
    ``_LOOKED_AT`` not all are looked at."""
    peak, todo = 0, [pid]
    for one in todo:
        for line in (_read(f"/proc/{one}/status") or b"").splitlines():
            if line.startswith(b"VmHWM:"):
                peak = max(peak, int(line.split()[1]))
                break
        if len(todo) < _LOOKED_AT:
            todo.extend(map(int, (_read(f"/proc/{one}/task/{one}/children") or b"").split()))
    return peak / 1024


def proportional_mb(pid: int) -> float | None:
    """The memory of ``pid`` in MB, of pages that it shares its share alone (PSS); None when it is
    gone, or not ours to read."""
    for line in (_read(f"/proc/{pid}/smaps_rollup") or b"").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) / 1024
    return None


def children(pid: int) -> list[int]:
    """The children of a process with one thread; those that have ended may be among them."""
    data = _read(f"/proc/{pid}/task/{pid}/children")
    if data is None and is_process(pid):  # a kernel without CONFIG_PROC_CHILDREN
        looks = (stat(one) for one in pids())
        return [one.pid for one in looks if one is not None and one.ppid == pid]
    return [int(one) for one in (data or b"").split()]


def own_children() -> list[int]:
    """Our unreaped children, the ones we adopted as a subreaper included.

    Much cheaper than a look at all processes (3 us a thread). Not atomic: when a child ends during
    the look, another one may be missing from it. A second look finds that one.
    """
    tasks = os.listdir("/proc/self/task")
    found: list[int] = []
    for task in tasks:
        data = _read(f"/proc/self/task/{task}/children")
        if data is None and task == tasks[0]:
            return _children_by_look()  # a kernel without CONFIG_PROC_CHILDREN
        if data:
            found.extend(map(int, data.split()))
    return found


class MainThreadsChildren:
    """The same for a process whose main thread alone spawns, and asked for often.

    The kernel keeps children by the thread that made them, and gives orphans to the main thread.
    The file stays open: to open it costs ten times what reading does.
    """

    def __init__(self) -> None:
        try:
            path = f"/proc/self/task/{os.getpid()}/children"
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._fd = -1  # a kernel without CONFIG_PROC_CHILDREN

    def look(self) -> list[int]:
        """Who is there now."""
        data = os.pread(self._fd, 65536, 0) if self._fd >= 0 else b""
        if self._fd < 0 or len(data) == 65536:
            return own_children()
        return [int(pid) for pid in data.split()]

    def close(self) -> None:
        """Looks no more."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _children_by_look() -> list[int]:
    mine = os.getpid()
    looks = (stat(pid) for pid in pids())
    return [one.pid for one in looks if one is not None and one.ppid == mine]


def descendants(roots: set[int], look: dict[int, Stat]) -> dict[int, Stat]:
    """The living processes of ``look`` that are one of ``roots`` or stand below one."""
    below: dict[int, list[int]] = {}
    for one in look.values():
        below.setdefault(one.ppid, []).append(one.pid)
    found: dict[int, Stat] = {}
    todo = list(roots)
    while todo:
        pid = todo.pop()
        if pid in found:
            continue
        if pid in look:
            found[pid] = look[pid]
        todo.extend(below.get(pid, ()))
    return found


def environ(pid: int) -> bytes:
    """The environment that ``pid`` was started with; empty if it is gone or not ours to read."""
    return _read(f"/proc/{pid}/environ") or b""


def environ_value(data: bytes, name: str) -> str | None:
    """One variable from what ``environ`` read."""
    key = name.encode() + b"="
    for item in data.split(b"\0"):
        if item.startswith(key):
            return os.fsdecode(item[len(key) :])
    return None


def command_line(pid: int) -> list[bytes]:
    """The words that ``pid`` was started with; nothing for one that has ended."""
    return (_read(f"/proc/{pid}/cmdline") or b"").split(b"\0")


def owner_uid(pid: int) -> int | None:
    """The user that ``pid`` runs as."""
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None


def realtime_limits(pid: int) -> tuple[int, int] | None:
    """The limits (soft, hard) on realtime run time, which carry our watermark; see watermark."""
    data = _read(f"/proc/{pid}/limits")
    if not data:
        return None
    at = data.find(b"Max realtime timeout")
    if at < 0:
        return None
    soft, hard = data[at + 20 :].split(None, 2)[:2]
    return tuple(-1 if v == b"unlimited" else int(v) for v in (soft, hard))  # type: ignore[return-value]
