"""Landlock: a thread gives up, for itself and all it starts, what no rule of its own allows.

landlock(7). Needs no privilege. What is named in no rule is refused; nothing can be taken back out
of what a rule allows. It does not cover what a file is (mode, owner, times, attributes) nor Unix
sockets that have a path.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterable

from marianne.walls import kernel

_CREATE, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
MAKE_BLOCK = 1 << 11
REFER, TRUNCATE = 1 << 13, 1 << 14
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
_CONNECT_AND_BIND = 0b11
_SCOPES = 0b11  # abstract sockets, signals

NETWORK_ABI, SCOPE_ABI, WRITE_ABI = 4, 6, 3
"""From which version on it covers TCP; signals and abstract sockets; all writing (truncate)."""

READ = EXECUTE | READ_FILE | READ_DIR
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE


class _Attributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("fs", "net", "scoped")]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def abi() -> int:
    """The version that this kernel speaks; OSError where it has none: ENOSYS if it was built
    without, EOPNOTSUPP if it was started without."""
    return kernel.syscall("landlock_create_ruleset", _CREATE, None, 0, _VERSION)


def write_rights(version: int) -> int:
    """All that changes a tree of files, as far as that version knows it."""
    rights = WRITE_FILE | _REMOVE_AND_MAKE
    if version >= 2:
        rights |= REFER
    return rights | TRUNCATE if version >= 3 else rights


class Rules:
    """What is refused, but for what is allowed. ``rights`` are those of files that are refused,
    ``network`` TCP, ``scoped`` signals and abstract sockets to whoever is not below."""

    def __init__(self, version: int, rights: int, *, network: bool, scoped: bool) -> None:
        self._rights = rights
        size = 8 if version < NETWORK_ABI else 16 if version < SCOPE_ABI else 24
        asked = _Attributes(
            rights,
            _CONNECT_AND_BIND if network and version >= NETWORK_ABI else 0,
            _SCOPES if scoped and version >= SCOPE_ABI else 0,
        )
        self._fd = kernel.syscall(
            "landlock_create_ruleset", _CREATE, ctypes.byref(asked), ctypes.c_size_t(size), 0
        )

    def allow(self, paths: Iterable[str], rights: int, *, real: bool = False) -> None:
        """These rights, as far as they are refused, on each file, or on what is beneath each
        directory. What is not there is passed over. ``real``: a link on the way is an error."""
        for path in paths:
            try:
                place = kernel.find(path) if real else os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
                    continue
                raise
            try:
                self._allow(place, rights & self._rights)
            finally:
                os.close(place)

    def _allow(self, place: int, rights: int) -> None:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _OF_FILES
        if rights:
            rule = _Beneath(rights, place)
            what = "landlock_add_rule"
            kernel.syscall(what, _ADD_RULE, self._fd, _PATH_BENEATH, ctypes.byref(rule), 0)

    def enforce(self) -> None:
        """From now on, for the calling thread and what it starts. Closes the rules."""
        try:
            kernel.gain_no_privileges()
            kernel.syscall("landlock_restrict_self", _RESTRICT_SELF, self._fd, 0)
        finally:
            os.close(self._fd)
