"""Starting a program in a control group: it is in there from its first instruction on.

``posix_spawn`` of the C library with POSIX_SPAWN_SETCGROUP (glibc 2.39), which is clone3 with
CLONE_INTO_CGROUP: no write into ``cgroup.procs``, which stops the whole machine's forks for
milliseconds, and no moment outside. Python's own has no word for it.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

_SETPGROUP, _SETSIGDEF, _SETSIGMASK, _SETCGROUP = 0x02, 0x04, 0x08, 0x100
_ATTRIBUTES, _ACTIONS, _SIGNALS = 512, 256, 128
"""Bytes of the C library's structures, and to spare."""


@cache
def _libc() -> ctypes.CDLL | None:
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "posix_spawnattr_setcgroup_np") else None


def available() -> bool:
    """Whether the C library can do it."""
    return _libc() is not None


class _Attributes:
    """What all starts have in common; the group is set before each."""

    def __init__(self, libc: ctypes.CDLL, reset: Sequence[int]) -> None:
        self.buffer = ctypes.create_string_buffer(_ATTRIBUTES)
        signals = ctypes.create_string_buffer(_SIGNALS)
        libc.posix_spawnattr_init(self.buffer)
        flags = _SETPGROUP | _SETSIGDEF | _SETSIGMASK | _SETCGROUP
        libc.posix_spawnattr_setflags(self.buffer, ctypes.c_short(flags))
        libc.posix_spawnattr_setpgroup(self.buffer, 0)
        libc.sigemptyset(signals)
        libc.posix_spawnattr_setsigmask(self.buffer, signals)
        for number in reset:
            libc.sigaddset(signals, number)
        libc.posix_spawnattr_setsigdefault(self.buffer, signals)


@cache
def _attributes(reset: tuple[int, ...]) -> _Attributes:
    libc = _libc()
    assert libc is not None
    return _Attributes(libc, reset)


def spawn_in(
    group: int,
    path: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    streams: Sequence[int],
    reset: tuple[int, ...],
) -> int:
    """Starts ``path`` in the group behind the descriptor ``group``; returns its pid.

    Its process group is its own, no signal is blocked, those in ``reset`` do their default, and
    ``streams`` are its standard ones. Raises OSError as os.posix_spawn does, and ValueError for a
    NUL byte.
    """
    libc = _libc()
    assert libc is not None
    arguments = _strings([_word(text) for text in argv])
    variables = _strings([_variable(name, value) for name, value in env.items()])
    attributes = _attributes(reset).buffer
    libc.posix_spawnattr_setcgroup_np(attributes, group)
    actions, pid = ctypes.create_string_buffer(_ACTIONS), ctypes.c_int()
    libc.posix_spawn_file_actions_init(actions)
    try:
        for number, descriptor in enumerate(streams):
            libc.posix_spawn_file_actions_adddup2(actions, descriptor, number)
        code = libc.posix_spawn(
            ctypes.byref(pid), os.fsencode(path), actions, attributes, arguments, variables
        )
    finally:
        libc.posix_spawn_file_actions_destroy(actions)
    if code:
        raise OSError(code, os.strerror(code), path)
    return pid.value


def survives(group: int) -> bool:
    """Whether a process that is started in the group lives: since Linux 6.14 it does not where the
    group was killed more often than the starter's own, or less often. Raises OSError where none
    can be started. Costs a fork, and no program."""
    try:
        pid = spawn_in(group, "", [""], {}, (), ())
    except FileNotFoundError:
        return True  # it came to the point where its program is looked for
    os.waitpid(pid, 0)
    return False


def _strings(encoded: Sequence[bytes]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)


@lru_cache(maxsize=1024)
def _variable(name: str, value: str) -> bytes:
    """Kept: all sheets of a job find nearly the same environment, and to encode it took a quarter
    of the worker's time for a short one."""
    return _word(f"{name}={value}")


def _word(text: str) -> bytes:
    encoded = os.fsencode(text)
    if b"\0" in encoded:
        raise ValueError("embedded null byte")
    return encoded
