"""Starting a program in a control group: it is in there from its first instruction on.

``posix_spawn`` of the C library with POSIX_SPAWN_SETCGROUP (glibc 2.39), which is clone3 with
CLONE_INTO_CGROUP: no write into ``cgroup.procs``, which stops the whole machine's forks for
milliseconds, and no moment outside. Python's own has no word for it.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from functools import cache

_SETPGROUP, _SETSIGDEF, _SETSIGMASK, _SETCGROUP = 0x02, 0x04, 0x08, 0x100
_ATTRIBUTES, _ACTIONS, _SIGNALS = 512, 256, 128
"""Bytes of the C library's structures, and to spare."""

_NO_PROGRAM = f"{os.devnull}/"
"""What is refused as no group is: of one that was taken away the kernel says ENOENT."""


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
    variables = _environment.array_of(env)
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
        pid = spawn_in(group, _NO_PROGRAM, [""], {}, (), ())
    except NotADirectoryError:
        return True  # it came to the point where its program is looked for
    os.waitpid(pid, 0)
    return False


def _strings(encoded: Sequence[bytes]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)


class _Environment:
    """The last one as the C library has it. All sheets of a job find nearly the same: to encode
    it anew for each took a third of what a control group costs."""

    def __init__(self) -> None:
        self._env: dict[str, str] = {}
        self._places: dict[str, int] = {}
        self._array = _strings(())

    def array_of(self, env: Mapping[str, str]) -> ctypes.Array[ctypes.c_char_p]:
        """Good until the next is asked for."""
        if env.keys() != self._env.keys():
            encoded = [_word(f"{name}={value}") for name, value in env.items()]
            self._array = _strings(encoded)
            self._places = {name: place for place, name in enumerate(env)}
            self._env = dict(env)
            return self._array
        for name, value in env.items() - self._env.items():
            self._array[self._places[name]] = _word(f"{name}={value}")
            self._env[name] = value
        return self._array


def _word(text: str) -> bytes:
    encoded = os.fsencode(text)
    if b"\0" in encoded:
        raise ValueError("embedded null byte")
    return encoded


_environment = _Environment()
