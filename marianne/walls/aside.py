"""Calling a function as another process, without a copy of this one.

As vfork(2) does, the kernel holds the calling thread while the other process lives, and that one
runs in our memory, on a stack of its own. What a process has beside memory is its own: namespaces,
privileges, descriptors, the working directory. fork(2) copies the memory's pages, for a worker one
to four milliseconds; this takes a thirtieth of one.

A process that is killed in the middle leaves our interpreter in the middle, which cannot go on: we
end as well. The conductor knows what to do about a worker that is lost.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import signal
import sys
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

# Later ones know their stack by its addresses, and would take another one for its overflow.
AVAILABLE = sys.version_info < (3, 14)

_CLONE_VM, _CLONE_VFORK = 0x00000100, 0x00004000
_STACK_BYTES = 1 << 20  # it takes what of it is used
_SIGNALS = signal.valid_signals()

_function = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_libc = ctypes.PyDLL(None, use_errno=True)  # which keeps the interpreter's lock


def call(function: Callable[[], Result]) -> Result:
    """What ``function`` returns or raises, called as a process of its own, which is over then.

    What that process has started is ours: the caller must be a subreaper. All signals are blocked
    in it, and nothing is collected. Objects that the function
    makes are there afterwards, descriptors that it opens are not. Raises OSError where no process
    can be made.
    """
    told: list[Result | BaseException] = []

    def run(_: object) -> int:
        try:
            told.append(function())
        except BaseException as error:  # noqa: BLE001 - it is the caller's, in the other process
            told.append(error)
        return 0

    pid = _clone(_function(run))
    os.waitpid(pid, 0)
    if not told:
        os._exit(128 + signal.SIGKILL)
    (got,) = told
    if isinstance(got, BaseException):
        raise got
    return got


def _clone(run: Callable[[int], int]) -> int:
    collects = gc.isenabled()
    with mmap.mmap(-1, _STACK_BYTES) as stack:
        top = ctypes.addressof(ctypes.c_char.from_buffer(stack)) + _STACK_BYTES
        flags = _CLONE_VM | _CLONE_VFORK | signal.SIGCHLD
        # A handler would tell us of a signal that the other got; what the collector closes there
        # would stay open here.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        gc.disable()
        try:
            pid: int = _libc.clone(run, ctypes.c_void_p(top & ~15), flags, None)
        finally:
            if collects:
                gc.enable()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if pid < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"clone: {os.strerror(code)}")
    return pid
