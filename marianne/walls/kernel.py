"""The system calls that walls are made of, where Python has no name for them.

Each raises OSError. The numbers are those of the table that all architectures share since 5.1.
"""

from __future__ import annotations

import ctypes
import os

CLONE_FS = 0x00000200
CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID, MS_NODEV, MS_NOEXEC = 0x2, 0x4, 0x8
_MS_REC, _MS_SLAVE = 0x4000, 0x80000

_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 0x1, 0x80000
_MOVE_MOUNT_F_EMPTY_PATH, _MOVE_MOUNT_T_EMPTY_PATH = 0x4, 0x40
_MOUNT_ATTR_RDONLY = 0x1

_RESOLVE_NO_SYMLINKS = 0x04

_OPEN_TREE, _MOVE_MOUNT, _OPENAT2, _MOUNT_SETATTR = 428, 429, 437, 442

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NAME = 1, 4, 15
_PR_CAPBSET_READ, _PR_CAPBSET_DROP = 23, 24
_PR_SET_NO_NEW_PRIVS = 38

_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttr(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]


class _OpenHow(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("flags", "mode", "resolve")]


def _checked(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def syscall(what: str, number: int, *args: object) -> int:
    """The system call of that number; ``what`` is its name in an error."""
    return _checked(_libc.syscall(ctypes.c_long(number), *args), what)


def unshare(flags: int) -> None:
    """Namespaces of its own for the calling thread; of processes, for its children to come."""
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def setns(descriptor: int, kind: int) -> None:
    """Puts the calling thread into that namespace; of processes, its children to come."""
    _checked(_libc.setns(ctypes.c_int(descriptor), ctypes.c_int(kind)), "setns")


def mount(kind: str, target: str, flags: int = 0, options: str | None = None) -> None:
    """A new file system of that kind at ``target``."""
    what = kind.encode()
    data = options.encode() if options is not None else None
    result = _libc.mount(what, os.fsencode(target), what, ctypes.c_ulong(flags), data)
    _checked(result, f"mount of a {kind} on {target}")


def keep_mounts_to_ourselves() -> None:
    """What is mounted from now on is seen by nobody outside this mount namespace."""
    flags = ctypes.c_ulong(_MS_REC | _MS_SLAVE)
    _checked(_libc.mount(None, b"/", None, flags, None), "mount --make-rslave /")


def find(path: str) -> int:
    """What is at ``path`` now, on a descriptor to find it by. A link on the way is an error,
    ELOOP: who looked before has followed it, and what became one since is somebody's trick."""
    how = _OpenHow(os.O_PATH | os.O_CLOEXEC, 0, _RESOLVE_NO_SYMLINKS)
    size = ctypes.c_size_t(ctypes.sizeof(how))
    name = os.fsencode(path)
    return syscall(f"open {path}", _OPENAT2, _AT_FDCWD, name, ctypes.byref(how), size)


def open_tree(path: str) -> int:
    """A copy of what is mounted at ``path``, through no link, and below it, on a descriptor."""
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | _AT_RECURSIVE | _AT_EMPTY_PATH
    place = find(path)
    try:
        return syscall(f"open_tree {path}", _OPEN_TREE, place, b"", ctypes.c_uint(flags))
    finally:
        os.close(place)


def attach(tree: int, path: str) -> None:
    """Mounts what ``open_tree`` gave at ``path``, through no link."""
    flags = ctypes.c_uint(_MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_T_EMPTY_PATH)
    place = find(path)
    try:
        syscall(f"move_mount {path}", _MOVE_MOUNT, tree, b"", place, b"", flags)
    finally:
        os.close(place)


def make_read_only(path: str = "", tree: int = _AT_FDCWD, *, deep: bool = True) -> None:
    """What is mounted at ``path``, or a tree on a descriptor, and (``deep``) all below it."""
    flags = (_AT_RECURSIVE if deep else 0) | (0 if path else _AT_EMPTY_PATH)
    attributes = _MountAttr(_MOUNT_ATTR_RDONLY, 0, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    name = os.fsencode(path)
    what = f"mount_setattr {path}"
    syscall(what, _MOUNT_SETATTR, tree, name, ctypes.c_uint(flags), ctypes.byref(attributes), size)


def die_with_parent(signum: int) -> None:
    """The calling process gets the signal when the thread that is its parent ends."""
    _prctl("PR_SET_PDEATHSIG", _PR_SET_PDEATHSIG, signum)


def take_name(name: str) -> None:
    """What ps -o comm calls the caller; at most 15 bytes count."""
    _libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def let_nobody_trace() -> None:
    """No process of the same user can trace the caller, read its memory or use its descriptors."""
    _prctl("PR_SET_DUMPABLE", _PR_SET_DUMPABLE, 0)


def gain_no_privileges() -> None:
    """The calling thread and all below it: no program makes them more than they are."""
    _prctl("PR_SET_NO_NEW_PRIVS", _PR_SET_NO_NEW_PRIVS, 1)


def drop_capability(number: int) -> bool:
    """No program of the calling thread, or below it, has it. False where there is none so high."""
    if _libc.prctl(_PR_CAPBSET_READ, ctypes.c_ulong(number), 0, 0, 0) < 0:
        return False
    _prctl("PR_CAPBSET_DROP", _PR_CAPBSET_DROP, number)
    return True


def _prctl(what: str, option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    _checked(_libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero), what)
