"""Reading a file that somebody else names: only a regular one, and not more of it than expected.

Opening a pipe waits for its writer and reading a device may never end. What is no regular file is
therefore not even waited for.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader


class NotRegularError(OSError):
    """A directory, a pipe, a socket or a device; ``strerror`` says so."""


def check_regular(path: str) -> None:
    """Raises OSError where there is nothing, NotRegularError where there is something else."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise _refusal(path)


def open_regular(path: str) -> BufferedReader:
    """A regular file, opened for reading. Raises as ``check_regular``, of a directory
    IsADirectoryError."""
    # Without O_NONBLOCK the open of a pipe would wait; on a regular file it means nothing.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind):
        return open(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise _refusal(path)


def read_regular(path: str, limit: int) -> bytes:
    """At most ``limit`` bytes from the beginning of a regular file. Raises as ``check_regular``.

    Whoever has to know that there is more asks for one byte more than he takes.
    """
    with open_regular(path) as stream:
        return stream.read(limit)


def _refusal(path: str) -> NotRegularError:
    return NotRegularError(None, "it is no regular file", path)
