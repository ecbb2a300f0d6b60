"""Where a conductor of this process could have its control groups, and what they can bound there.

It divides the group that it stands in, for what bounds that group (a service's limits, a
container's) bounds its sheets too; nothing above it is touched. Controllers are passed on to
groups below only from a group in which no process stands, the topmost apart: where the group is
ours alone (systemd delegated it, or it is a container's topmost), we move into one below it.
"""

from __future__ import annotations

import errno
import os

from marianne.walls import cgroups, group_spawn
from marianne.walls.cgroups import Group

TYPE_CHECKING = False  # for the type checker alone
if TYPE_CHECKING:
    from collections.abc import Collection

CONTROLLERS = ("memory", "pids", "cpu", "io")
OURS = "marianne-own"
"""The group that our own processes move to, where the one that they stood in is to be divided."""

DELEGATED = ("user.delegate", "trusted.delegate")
"""What systemd marks a group with that is another's to divide."""

HOW = (
    "start the conductor as the service that `marianne service` makes, or by"
    " `systemd-run --user --scope -p Delegate=yes marianne start`"
)


class MissingError(Exception):
    """No groups can be had; the message says why, and what to do about it."""


class Place:
    """The group that can be divided: where it is, whether it is the topmost of all, or only of
    what we see (a container's)."""

    def __init__(self, path: str, *, topmost: bool, visible_top: bool) -> None:
        self.path = path
        self.topmost = topmost
        self.visible_top = visible_top

    @property
    def delegated(self) -> bool:
        """Whether nobody else divides it."""
        return self.visible_top or any(_marked(self.path, name) for name in DELEGATED)


def find(process: str = "self", mounts: str = "/proc/self/mountinfo") -> Place:
    """The group of this process. Raises MissingError."""
    mount = _mount(mounts)
    if mount is None:
        raise MissingError(
            "no control groups of version 2 are mounted"
            " (as root: mount -t cgroup2 none /sys/fs/cgroup, at boot)"
        )
    root, folder = mount
    own = _own(f"/proc/{process}/cgroup")
    if own is None or ".." in own.split("/") or os.path.commonpath([own, root]) != root:
        raise MissingError(f"the control group of this process is not below {folder}")
    path = os.path.normpath(os.path.join(folder, os.path.relpath(own, root)))
    if os.path.basename(path) == OURS or any(
        _marked(os.path.dirname(path), name) for name in DELEGATED
    ):
        path = os.path.dirname(path)  # systemd's DelegateSubgroup, or an earlier conductor's move
    return at(path, folder)


def at(path: str, top: str | None = None) -> Place:
    """The group at ``path``; ``top`` is the topmost that we see, if that is known."""
    # The topmost of all has no events of its own.
    real = not os.path.exists(os.path.join(path, "cgroup.events"))
    return Place(path, topmost=real, visible_top=path == top and not real)


def try_out(place: Place) -> None:
    """Whether a group can be made here and be killed, and a process be started in it that lives.
    Raises MissingError."""
    if not group_spawn.available():
        raise MissingError(
            "this C library cannot start a process in a control group (glibc 2.39 can)"
        )
    # Named and held as a home's: what is left of a look that was killed goes the same way.
    group = Group(os.path.join(place.path, cgroups.base_name(os.urandom(8).hex())))
    try:
        lock = cgroups.hold(group.path)
    except OSError as error:
        raise MissingError(_why_not_made(place, error)) from error
    try:
        if not os.path.exists(os.path.join(group.path, "cgroup.kill")):
            raise MissingError("this kernel cannot kill a control group (Linux 5.14 can)")
        _start_one(group)
    finally:
        group.remove()
        os.close(lock)


def _start_one(group: Group) -> None:
    above = os.path.dirname(group.path)
    fd = group.open()
    try:
        lives = group_spawn.survives(fd)
    except OSError as error:
        raise MissingError(
            f"no process can be started in a control group below {above}: {error.strerror}; {HOW}"
        ) from error
    finally:
        os.close(fd)
    if not lives:
        raise MissingError(
            f"whatever is started in a control group below {above} is ended by the kernel, for the"
            f" group of this process was killed before (cgroup.kill); {HOW}"
        )


def prepare(
    place: Place, owner: str, ours: Collection[int] = ()
) -> tuple[str, dict[str, str], int]:
    """Makes BASE of this owner; returns where it is, why each missing controller is missing, and
    the descriptor that holds it: while nobody did, who ends the last owner's could take it away.

    ``ours`` are processes that may be moved. Raises OSError where it cannot be made.
    """
    base = os.path.join(place.path, cgroups.base_name(owner))
    lock = cgroups.hold(base)
    missing = {}
    for name in CONTROLLERS:
        if why := _pass_on(place, name, ours):
            missing[name] = why
        else:
            try:
                Group(base).write("cgroup.subtree_control", f"+{name}")
            except OSError as error:
                missing[name] = f"{base}: {error.strerror}"
    return base, missing, lock


def offered_controllers(place: Place) -> dict[str, str]:
    """Why each controller that could not be had is missing; changes nothing."""
    return {name: why for name in CONTROLLERS if (why := _lacking(place, name))}


def _pass_on(place: Place, name: str, ours: Collection[int]) -> str:
    """Has the group pass a controller on to those below it; returns why it cannot, or ""."""
    group = Group(place.path)
    if name in group.read("cgroup.subtree_control").split():
        return ""
    if why := _lacking(place, name):
        return why
    try:
        if not place.topmost and group.read("cgroup.procs").strip():
            _move_down(group, ours)
        group.write("cgroup.subtree_control", f"+{name}")
    except OSError as error:
        return f"{place.path} cannot pass on '{name}': {error.strerror}"
    return ""


def _move_down(group: Group, ours: Collection[int]) -> None:
    """Moves our processes one group down. Raises OSError(EBUSY) where another's are among them."""
    if not set(_pids(group)) <= set(ours):
        raise OSError(errno.EBUSY, "other processes stand in it")
    try:
        down = Group.make(os.path.join(group.path, OURS))
    except FileExistsError:
        down = Group(os.path.join(group.path, OURS))
    for pid in _pids(group):
        down.write("cgroup.procs", str(pid))


def _pids(group: Group) -> list[int]:
    return [int(pid) for pid in group.read("cgroup.procs").split()]


def _lacking(place: Place, name: str) -> str:
    group = Group(place.path)
    if name in group.read("cgroup.subtree_control").split():
        return ""
    if name not in group.read("cgroup.controllers").split():
        if place.topmost:
            return (
                f"the controller '{name}' is bound to version 1 of control groups"
                " (boot with systemd.unified_cgroup_hierarchy=1)"
            )
        return f"{place.path} was not given the controller '{name}'; {HOW}"
    if not place.topmost and not place.delegated:
        return f"{place.path} is not ours alone, so it cannot pass '{name}' on; {HOW}"
    return ""


def _why_not_made(place: Place, error: OSError) -> str:
    if error.errno == errno.EROFS:
        return (
            f"{place.path} is mounted read-only, as in most containers"
            " (give the container a cgroup namespace of its own, and a writable /sys/fs/cgroup)"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"the control group {place.path} is not this user's to divide; {HOW}"
    return f"no control group can be made below {place.path}: {error.strerror}"


def _mount(mounts: str) -> tuple[str, str] | None:
    """Of the first mount of version 2: which group is its topmost, and where it is."""
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                words = line.split()
                if words[words.index("-") + 1] == "cgroup2":
                    return _plain(words[3]), _plain(words[4])
    except (OSError, ValueError, IndexError):
        pass
    return None


def _plain(path: str) -> str:
    """Spaces and the like are written as octal numbers there."""
    for code in (" ", "\t", "\n", "\\"):
        path = path.replace(f"\\{ord(code):03o}", code)
    return path


def _own(file: str) -> str | None:
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as lines:
            return next((line[3:].rstrip("\n") for line in lines if line.startswith("0::")), None)
    except OSError:
        return None


def _marked(path: str, name: str) -> bool:
    try:
        return os.getxattr(path, name) == b"1"
    except OSError:
        return False
