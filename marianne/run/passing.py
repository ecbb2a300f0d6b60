"""What the machine has no more of, or its disk cannot do, just now.

It is not the score's fault, and it passes: the attempt has not failed, it is made again, and that
uses up none of its sheet's retries.
"""

from __future__ import annotations

import errno
import os

from marianne.run.spawn import NO_SPACE, PASSING
from marianne.run.tools import Reading

_ROOM = 1 << 16
"""Bytes that must find room beside a program's output for its failure to be its own."""


def words(error: OSError) -> str:
    """What happened, and to which file."""
    return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"


def put_off(error: OSError, what: str = "") -> Reading | None:
    """How an attempt ends that this kept from going on: None if it does not pass."""
    if error.errno not in PASSING:
        return None
    category = "disk_full" if error.errno in NO_SPACE else "machine"
    return Reading(False, category=category, message=f"{what}{words(error)}")


def unkept(reading: Reading, output: str) -> Reading | None:
    """How the attempt of a program ends that exited with an error while nothing could be written
    beside its ``output``, None if it can: what it printed was lost, and may be why it failed."""
    if reading.category != "exit":
        return None
    path = f"{output}.room"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            if os.write(descriptor, bytes(_ROOM)) < _ROOM:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)
            os.unlink(path)
    except OSError as error:
        return put_off(error, "its output could not be kept: ")
    return None
