"""What a probe found, in words: each wall that a sandbox may have, whether this machine has it, and
why not and how to get it."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from marianne.walls import landlock
from marianne.walls.probe import NOT_TRIED, Probe, ask

_MAX_NAMESPACES = "/proc/sys/user/max_user_namespaces"
_CLONE_ALLOWED = "/proc/sys/kernel/unprivileged_userns_clone"
_APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"


class Offer(NamedTuple):
    """One means of the kernel's. ``words`` say what it is good for, or why it is not there and what
    would bring it."""

    name: str
    there: bool
    words: str


class Offers(NamedTuple):
    """All that there is. ``landlock`` is its version, 0 where there is none; ``why`` has the words
    of each that is missing, by its field."""

    landlock: int
    pids: bool
    mounts: bool
    proc: bool
    network: bool
    needs_user: bool
    why: dict[str, str]


class Switches(NamedTuple):
    """What an administrator set, None where the kernel has no such switch."""

    max_user_namespaces: int | None = None
    unprivileged_clone: int | None = None
    apparmor_restricts: int | None = None


def looked_for() -> Offers:
    """What this machine offers; asks a process of its own, which takes 15 ms."""
    return offers_of(ask(), read_switches(), os.geteuid() == 0)


def read_switches() -> Switches:
    """The switches of this machine."""
    return Switches(_number(_MAX_NAMESPACES), _number(_CLONE_ALLOWED), _number(_APPARMOR))


def offers_of(probe: Probe, switches: Switches, root: bool) -> Offers:
    """The same as a judgement of plain data."""
    why: dict[str, str] = {}
    if probe.landlock < 0:
        why["landlock"] = _no_landlock(-probe.landlock)
    if probe.user:
        reason = _no_namespaces(probe.user, switches, root)
        why |= dict.fromkeys(("pids", "mounts", "network"), reason)
    else:
        for field, code in (
            ("pids", probe.pids),
            ("mounts", probe.mounts),
            ("network", probe.network),
        ):
            if code:
                why[field] = _no_namespaces(code, switches, root)
    if probe.proc and "pids" not in why and "mounts" not in why:
        why["proc"] = (
            f"{_words(probe.proc)}: another /proc cannot be mounted (a container that masks parts "
            "of its own forbids it): within a sandbox /proc shows what it shows outside"
        )
    return Offers(
        landlock=max(0, probe.landlock),
        pids="pids" not in why,
        mounts="mounts" not in why,
        proc=probe.proc == 0,
        network="network" not in why,
        needs_user=probe.needs_user,
        why=why,
    )


def as_list(offers: Offers) -> list[Offer]:
    """One entry a means, for people."""
    version = offers.landlock
    covers = ["files and devices" if version >= landlock.WRITE_ABI else "part of what is written"]
    covers += ["TCP"] if version >= landlock.NETWORK_ABI else []
    covers += ["signals and abstract sockets"] if version >= landlock.SCOPE_ABI else []
    how = ", by a user namespace" if offers.needs_user else ""
    proc = "" if offers.proc else f"; {offers.why.get('proc', 'no /proc of its own')}"
    there = {
        "landlock": f"version {version}: {', '.join(covers)}",
        "pids": f"nothing outlives a sheet that is isolated{how}{proc}",
        "mounts": f"read-only outside what a sheet may write, /tmp of its own{how}",
        "network": f"no network at all{how}",
    }
    names = {
        "landlock": "landlock",
        "pids": "pid namespace",
        "mounts": "mount namespace",
        "network": "network namespace",
    }
    return [
        Offer(names[field], field not in offers.why, offers.why.get(field, words))
        for field, words in there.items()
    ]


def _no_landlock(code: int) -> str:
    if code == errno.ENOSYS:
        return "this kernel has none: it needs Linux 5.13, built with CONFIG_SECURITY_LANDLOCK"
    if code == errno.EOPNOTSUPP:
        return "it is switched off: add landlock to lsm= on the kernel's command line"
    if code == errno.EPERM:
        return "what surrounds us (a container's seccomp filter) forbids it: allow landlock_* there"
    return f"{_words(code)}: the kernel would not say what it has"


def _no_namespaces(code: int, switches: Switches, root: bool) -> str:
    if code == NOT_TRIED:
        return "not tried: what it stands on failed"
    if switches.max_user_namespaces == 0:
        return f"{_words(code)}: namespaces are forbidden: sysctl user.max_user_namespaces=10000"
    if not root and switches.unprivileged_clone == 0:
        return f"{_words(code)}: only root may: sysctl kernel.unprivileged_userns_clone=1"
    if not root and switches.apparmor_restricts:
        return (
            f"{_words(code)}: AppArmor keeps users from it: "
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile that says userns"
        )
    if code in (errno.EPERM, errno.EACCES):
        return (
            f"{_words(code)}: what surrounds us forbids it; in a container: --cap-add SYS_ADMIN, "
            "or a seccomp profile that allows unshare and mount"
        )
    if code in (errno.ENOSYS, errno.EINVAL):
        return f"{_words(code)}: this kernel has no such namespaces, or is older than 5.12"
    return _words(code)


def _words(code: int) -> str:
    return os.strerror(code)


def _number(path: str) -> int | None:
    try:
        with open(path, "rb") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None
