"""Control groups of version 2: one a job, one an attempt of a sheet, all below one of the home's.

    BASE/<job>/<n>      BASE is named by the home's owner; processes stand in the lowest alone

A process cannot leave its group by any call that starts, orphans or renames processes; only a
write into the group files of another moves it. ``cgroup.kill`` ends whoever is in a group, and
whoever forks meanwhile, in one stroke, also where nobody is left who knows a pid.

Whose a job's group is says a lock on its directory, which the kernel takes back when the holder
dies: a worker holds that of its job, shared; who gets it alone may end what is in there. All of a
home's processes hold that of BASE, so that who waits for it learns that none is left.

Only groups that we made are written to. Standard library only: the heart uses this file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time

TYPE_CHECKING = False  # for the type checker alone: the heart does without what typing costs
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAME_FILE = "cgroup"
"""The file of a home that says where BASE is."""

FIRST_PAUSE, LONGEST_PAUSE = 0.0005, 0.02
PATIENCE = 5.0
"""Seconds that killed processes have to be gone: one that hangs in its disk may need longer."""

_PREFIX = "marianne-"
_FOLDER = ""
"""The group's directory among what stays open."""

GONE = frozenset({errno.ENOENT, errno.ENODEV})


class Group:
    """One group that we made. Where it is gone, it is empty. What is asked of each attempt in it
    stays open where ``kept`` says so, until ``shut``; else nothing of it does."""

    __slots__ = ("_bounds", "_cpu", "_events", "_open", "killed", "path")

    def __init__(self, path: str, *, kept: bool = False) -> None:
        self.path = path
        self.killed = False
        """Whether it was killed. Since Linux 6.14 whoever is started in such a group ends at once,
        unless the starter's own was killed as often (cgroup_post_fork compares the two counts)."""
        self._open: dict[str, int] | None = {} if kept else None
        self._bounds: dict[str, str] = {}
        self._cpu = 0
        self._events: dict[str, int] = {}

    @classmethod
    def make(cls, path: str, *, kept: bool = False) -> Group:
        """A new one below one that is there. Raises OSError."""
        os.mkdir(path, 0o755)
        return cls(path, kept=kept)

    def shut(self) -> None:
        """Keeps nothing open any more."""
        opened, self._open = self._open or {}, None
        for fd in opened.values():
            os.close(fd)

    def open(self) -> int:
        """A descriptor of it, to start a process in it: ENODEV then, if it was taken away
        meanwhile. Raises OSError."""
        if self._open is None:
            return os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return os.dup(self._kept(_FOLDER))

    def read(self, name: str) -> str:
        """What one of its files says; "" where there is none."""
        return _read(os.path.join(self.path, name))

    def _now(self, name: str) -> str:
        """The same of a file of less than a page."""
        if self._open is None:
            return self.read(name)
        try:
            return os.pread(self._kept(name), 1 << 12, 0).decode("utf-8", "replace")
        except OSError:
            return ""

    def _kept(self, name: str) -> int:
        """Its descriptor that stays open. Raises OSError."""
        assert self._open is not None
        if (fd := self._open.get(name)) is None:
            fd = os.open(os.path.join(self.path, name), os.O_RDONLY | os.O_CLOEXEC)
            self._open[name] = fd
        return fd

    def write(self, name: str, text: str) -> None:
        """Raises OSError."""
        fd = os.open(os.path.join(self.path, name), os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)

    def bound(self, bounds: Mapping[str, str]) -> None:
        """Sets these files, and what was set before and is not named back. Raises OSError."""
        for name in self._bounds.keys() - bounds.keys():
            self.write(name, UNBOUNDED.get(name, "max"))
            del self._bounds[name]
        for name, text in bounds.items():
            if self._bounds.get(name) == text:
                continue
            if name in OPTIONAL and not os.path.exists(os.path.join(self.path, name)):
                continue
            self.write(name, text)
            self._bounds[name] = text

    def keeps(self, name: str) -> bool:
        """Whether a bound of ours stands in that file."""
        return name in self._bounds

    @property
    def bounded(self) -> bool:
        """Whether bounds of ours are set."""
        return bool(self._bounds)

    @property
    def populated(self) -> bool:
        """Whether a process lives in it or below it."""
        return "populated 1" in self._now("cgroup.events")

    def kill(self) -> bool:
        """Ends all that is in it and below it; returns whether the kernel was told."""
        try:
            self.write("cgroup.kill", "1")
        except OSError:
            return False
        self.killed = True
        return True

    def freeze(self, on: bool) -> None:
        """Stops all that is in it and below it, or lets it go on. Raises OSError."""
        self.write("cgroup.freeze", "1" if on else "0")

    def pids(self) -> list[int]:
        """Who is in it and below it now."""
        return [
            int(pid)
            for folder in (self.path, *below(self.path))
            for pid in _read(os.path.join(folder, "cgroup.procs")).split()
        ]

    def holds(self, where: str) -> bool:
        """Whether that group (see ``group_of``) is this one or below it."""
        own = "/".join(self.path.split("/")[-3:])  # BASE, job and number: no two are the same
        return f"/{own}/" in f"{where}/"

    def cpu_seconds(self) -> float | None:
        """Of all that ran in it since it was asked last; None where nobody counts."""
        for line in self._now("cpu.stat").splitlines():
            if line.startswith("usage_usec "):
                before, self._cpu = self._cpu, int(line[11:])
                return (self._cpu - before) / 1e6
        return None

    def happened(self, name: str) -> int:
        """How often that was counted since it was asked last: ``memory.events/oom_kill``."""
        file, _, key = name.partition("/")
        for line in self.read(file).splitlines():
            if line.startswith(f"{key} "):
                count = int(line.split()[1])
                before, self._events[name] = self._events.get(name, 0), count
                return count - before
        return 0

    @property
    def divided(self) -> bool:
        """Whether who was in it has made groups of its own in it."""
        try:
            where = self.path if self._open is None else self._kept(_FOLDER)
            return os.stat(where).st_nlink > 2
        except OSError:
            return False

    def empty(self, patience: float = PATIENCE) -> bool:
        """Kills until nobody is left; returns whether that came true in time."""
        deadline, pause = time.monotonic() + patience, FIRST_PAUSE
        while self.populated:
            self.kill()
            if time.monotonic() >= deadline:
                return False
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        return True

    def remove(self) -> bool:
        """Takes it and all below it away, as far as nobody lives there; whether it is gone."""
        for folder in (*reversed(list(below(self.path))), self.path):
            try:
                os.rmdir(folder)
            except OSError as error:
                if error.errno not in GONE:
                    return False
        return True


OPTIONAL = frozenset({"memory.swap.max"})
"""What a kernel may be built without, and then does not need."""

UNBOUNDED = {"cpu.weight": "100", "io.weight": "default 100", "memory.oom.group": "0"}
"""What takes a bound back, where it is not ``max``."""


def below(path: str) -> Iterator[str]:
    """The groups below one, each before what is below it."""
    try:
        with os.scandir(path) as entries:
            folders = [one.path for one in entries if one.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for folder in folders:
        yield folder
        yield from below(folder)


def group_of(pid: int) -> str:
    """The path of a process's group, from the topmost that it can see; "" where there is none."""
    lines = _read(f"/proc/{pid}/cgroup").splitlines()
    return next((line[3:] for line in lines if line.startswith("0::")), "")


def hold(path: str) -> int:
    """Makes the group if it is not there and holds its lock, shared, until the descriptor closes.

    Waits for who is ending what was in it before. Raises OSError.
    """
    while True:
        try:
            os.mkdir(path, 0o755)
        except FileExistsError:
            pass
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # its last owner's traces were taken away in this moment
        fcntl.flock(fd, fcntl.LOCK_SH)
        try:
            if os.path.samestat(os.stat(path), os.fstat(fd)):
                return fd
        except FileNotFoundError:
            pass
        os.close(fd)


def end_abandoned(base: str, job_id: str | None = None) -> list[int]:
    """Ends what is in the groups of jobs (or of this one) that no worker holds, and removes them.

    Returns the pids that were found. Blocks for at most PATIENCE seconds a group.
    """
    found: list[int] = []
    for path in _folders(base) if job_id is None else [os.path.join(base, job_id)]:
        if (fd := _alone(path)) < 0:
            continue  # a worker lives
        try:
            group = Group(path)
            found += group.pids()
            group.empty()
            group.remove()
        finally:
            os.close(fd)
    return found


def remove_left(folder: str) -> None:
    """Takes away each BASE of this user's in ``folder`` that nobody holds and nobody lives in: all
    of ours were killed, with who waits for that, and the home may never be started again."""
    for path in _folders(folder):
        if not _is_base(os.path.basename(path)) or (fd := _alone(path)) < 0:
            continue
        group = Group(path)
        if os.fstat(fd).st_uid == os.geteuid() and not group.populated:
            group.remove()
        os.close(fd)


def end_all(home: str | os.PathLike[str], owner: str) -> list[int]:
    """For who has a home that no conductor holds: ends what is left in its groups, and takes them
    away; returns the pids that were found."""
    if (base := base_of(home, owner)) is None:
        return []
    found = end_abandoned(base)
    Group(base).remove()
    return found


def _alone(path: str) -> int:
    """A descriptor that holds the group's lock alone; -1 where it is gone, or somebody holds it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return -1
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return -1
    return fd


def _folders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [one.path for one in entries if one.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def base_of(home: str | os.PathLike[str], owner: str) -> str | None:
    """Where this home's groups are, as its conductor wrote; None where it has none.

    Believed only where the name is that of this owner: a copied home names the original's.
    """
    text = _read(os.path.join(home, NAME_FILE)).strip()
    return text if os.path.basename(text) == base_name(owner) else None


def base_name(owner: str) -> str:
    """What BASE of this owner is called: 64 bits of FNV-1a, for the owner is a secret."""
    value = 0xCBF29CE484222325
    for byte in f"cgroup/{owner}".encode():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{_PREFIX}{value:016x}"


def _is_base(name: str) -> bool:
    number = name.removeprefix(_PREFIX)
    return number != name and len(number) == 16 and set(number) <= set("0123456789abcdef")


def _read(path: str) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    text = b""
    try:
        while part := os.read(fd, 1 << 16):  # a page at a time, whatever is asked
            text += part
    except OSError:
        return ""  # it was removed under us
    finally:
        os.close(fd)
    return text.decode("utf-8", "replace")
