"""The key that a heart passes to each of its conductors, on a descriptor and nowhere else.

By it the next conductor proves to the workers of a dead one that it is the next. It is in the
memory of heart and conductor: in no file, command line or environment, and no sheet inherits the
descriptor, which is closed before anything is started.

Standard library only: the heart uses this file.
"""

from __future__ import annotations

import os

KEY_BYTES = 32


def lend(key: bytes) -> int:
    """A pipe that holds the key, for one child to inherit; -1 where none can be had: then the
    conductor makes a key of its own. Close it when the child is started."""
    try:
        read, write = os.pipe2(os.O_CLOEXEC)
    except OSError:
        return -1
    os.write(write, key)
    os.close(write)
    os.set_inheritable(read, True)
    return read


def take(descriptor: int) -> bytes | None:
    """What was lent, once: closes the descriptor. None where nothing was."""
    if descriptor < 0:
        return None
    with open(descriptor, "rb") as pipe:
        key = pipe.read(KEY_BYTES)
    return key if len(key) == KEY_BYTES else None
