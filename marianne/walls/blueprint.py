"""The walls of one attempt as plain data: means, and real paths."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from marianne.walls.asked import WORKSPACE, Sandbox
from marianne.walls.standing import Standing

TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")
"""Where programs put temporary files, beside TMPDIR."""

SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix", "/etc"),
    *("/proc", "/sys", "/dev", "/run"),
)
"""What may be read whatever ``read`` says: programs, libraries, and how the machine is set up."""

QUEUES = ("/dev/mqueue",)
"""Where message queues of outside are seen as files; who has a namespace of his own needs none."""

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")
_CARDS = ("nvidia*", "dri", "kfd", "fuse")


class PlaceError(Exception):
    """A place that is named leads to another, by a link that a sheet may have made. The message is
    for the score's author."""


class Places(NamedTuple):
    """Where a job has its things. ``home`` is Marianne's, ``sheets`` the directory of the job's
    prompts and outputs, ``temporary`` the directories for temporary files, ``user`` what ``~``
    means. ``root``: whether the sheet runs as root. ``queues``: where message queues are files."""

    workspace: str
    home: str
    sheets: str
    temporary: tuple[str, ...]
    user: str
    root: bool
    queues: tuple[str, ...] = ()


class Blueprint(NamedTuple):
    """``writable`` and ``readable`` are all that may be, None: no restriction. ``hidden`` is empty,
    ``private`` an empty directory that can be written; ``shown`` is read-only and ``kept`` is
    itself wherever either would cover it. Equal ones can share a room."""

    landlock: int
    pids: bool
    mounts: bool
    proc: bool
    network: bool
    tcp: bool
    root: bool
    writable: tuple[str, ...] | None
    readable: tuple[str, ...] | None
    hidden: tuple[str, ...]
    private: tuple[str, ...]
    shown: tuple[str, ...]
    kept: tuple[str, ...]
    devices: tuple[str, ...]


class Step(NamedTuple):
    """One thing to mount: ``what`` is keep, show, cover (empty, can be written) or hide."""

    path: str
    what: str


def temporary_places(env: Mapping[str, str]) -> tuple[str, ...]:
    """Those that a program with this environment uses and that are there."""
    own = env.get("TMPDIR")
    return _real((*((own,) if own else ()), *TEMPORARY))


def blueprint(asked: Sandbox, stands: Standing, places: Places) -> Blueprint:
    """The attempt's. Makes the directories that ``write`` names and that are not there. Raises
    PlaceError."""
    write = read = None
    kept: tuple[str, ...] = _real((places.workspace,))
    private = asked.tmp == "private" and stands.mounts
    temporary = () if private else places.temporary
    _check_ways(asked, places)
    if asked.write is not None:
        named = tuple(_expanded(one, places) for one in asked.write)
        for path in named:
            if not os.path.exists(path):  # a file may be named as well
                os.makedirs(path, exist_ok=True)
        write = _real(named)
        kept += write
        write = _outermost((*write, *temporary))
    if asked.read is not None:
        named = _real(_expanded(one, places) for one in asked.read)
        kept += named
        read = _outermost((*named, *(write or ()), *_real(SYSTEM), *places.temporary, *kept[:1]))
    devices = _devices(places.root) if write is not None else ()
    return Blueprint(
        landlock=stands.landlock,
        pids=stands.pids,
        mounts=stands.mounts,
        proc=stands.proc and stands.pids,
        network=stands.network,
        tcp=not asked.network,
        root=places.root,
        writable=write,
        readable=read,
        hidden=_real((places.home, *places.queues)) if asked.isolate and stands.mounts else (),
        private=places.temporary if private else (),
        shown=_real((places.sheets,)),
        kept=tuple(dict.fromkeys(kept)),
        devices=devices,
    )


def _check_ways(asked: Sandbox, places: Places) -> None:
    """Refuses a place whose way takes a link that lies where sheets may write, and leads out of
    there: one sheet could make such a link for the next, or for its own next attempt."""
    shared = _real((places.workspace, *places.temporary))
    writes = {one: os.path.normpath(_expanded(one, places)) for one in asked.write or ()}
    reals = {one: os.path.realpath(path) for one, path in writes.items()}
    granted = (*shared, *(real for one, real in reals.items() if real == writes[one]))
    for field, named in (("write", asked.write), ("read", asked.read)):
        for one in named or ():
            others = (*shared, *(real for name, real in reals.items() if name != one))
            path = _expanded(one, places)
            if one != WORKSPACE and not _is_sound(path, others, granted):
                raise PlaceError(
                    f"'{field}': {one} leads to {os.path.realpath(path)}, by a link that lies where"
                    " sheets may write: name that place itself, or remove the link"
                )


def _is_sound(path: str, written: Sequence[str], granted: Sequence[str]) -> bool:
    """Whether the way takes no link of ``written`` places, or only such as stay in ``granted``."""
    real, plain = os.path.realpath(path), os.path.normpath(path)
    if os.path.realpath(plain) != real:
        return False  # it goes up from where a link has led it
    ways = [(os.path.realpath(above), above) for above in _above(plain)]
    within = [way for way in ways if any(beneath(way[0], place) for place in written)]
    if not within or real == os.path.join(within[-1][0], os.path.relpath(plain, within[-1][1])):
        return True
    return any(beneath(way, one) and beneath(real, one) for way, _ in within for one in granted)


def _above(path: str) -> list[str]:
    """The directories that it lies in, the innermost first."""
    found = []
    while (above := os.path.dirname(path)) != path:
        found.append(above)
        path = above
    return found


def steps(plan: Blueprint) -> list[Step]:
    """What is mounted, the outer before the inner.

    Where all is made read-only, what may be written is put back as it was; so is what would else be
    covered. What is hidden stays so: no place that may be written shows it.
    """
    covering = {**dict.fromkeys(plan.private, "cover"), **dict.fromkeys(plan.hidden, "hide")}
    wanted: dict[str, str] = {}
    for path in plan.writable or ():
        wanted[path] = "keep"
    for paths, what in ((plan.kept, "keep"), (plan.shown, "show")):
        for path in paths:
            if any(beneath(path, cover) and path != cover for cover in covering):
                writable = plan.writable is None or any(beneath(path, o) for o in plan.writable)
                wanted.setdefault(path, what if writable else "show")
    wanted |= covering
    return [Step(path, wanted[path]) for path in sorted(wanted, key=_depth)]


def beneath(path: str, place: str) -> bool:
    """Whether ``path`` is ``place`` or lies in it; both are real paths."""
    return place in (path, "/") or path.startswith(place + "/")


def _depth(path: str) -> tuple[int, str]:
    return (path.rstrip("/").count("/"), path)


def _expanded(path: str, places: Places) -> str:
    """A place of the score's as an absolute path."""
    if path == WORKSPACE:
        return places.workspace
    if path == "~" or path.startswith("~/"):
        path = places.user + path[1:]
    return os.path.join(places.workspace, path)


def _real(paths: Iterable[str]) -> tuple[str, ...]:
    """Where these lead, without those that are not there."""
    found = (os.path.realpath(path) for path in paths)
    return tuple(dict.fromkeys(path for path in found if os.path.exists(path)))


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Without those that lie in another."""
    every = dict.fromkeys(paths)
    return tuple(
        path for path in every if not any(path != one and beneath(path, one) for one in every)
    )


def _devices(root: bool) -> tuple[str, ...]:
    """What may be written of /dev and /proc: all that a user may, and of root's what harms nobody:
    no disk, no memory, no switch of the kernel."""
    if not root:
        return ("/dev", "/proc")
    cards = (path for name in _CARDS for path in glob.glob(f"/dev/{name}"))
    return (*(f"/dev/{name}" for name in _DEVICES), *cards)
