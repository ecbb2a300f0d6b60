"""What a conductor needs from the shell and the machine that it is started on, before any file.

Too few open files are refused, since a conductor that has hardly enough begins and then hangs. What
else may be too little is named where a start has failed: it may have been enough.
"""

from __future__ import annotations

import os
import resource

from marianne.home import HomeError

FILES = 256
"""Open files: a conductor at rest has 64, and each job and client costs it some."""

ADDRESS_SPACE = 2 << 30
"""Bytes: the stacks of its threads are most of it, and none of it is memory."""

FILE_SIZE = 64 << 20
"""Bytes: its database, and the captured output of a sheet."""


def refuse_bare_ground() -> None:
    """Raises HomeError where a conductor could not serve, with what to do."""
    if not os.path.exists("/proc/self/stat"):
        raise HomeError("/proc is not mounted here: mount -t proc proc /proc")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if 0 <= files < FILES:
        raise HomeError(
            f"this shell allows {files} open files, and a conductor needs {FILES}: raise the hard"
            f" limit (ulimit -Hn; LimitNOFILE= of a unit)"
        )


def suspects() -> list[str]:
    """The limits of this process that may be why a conductor ended at its start."""
    looked = (
        (resource.RLIMIT_AS, ADDRESS_SPACE, "ulimit -v", "address space"),
        (resource.RLIMIT_FSIZE, FILE_SIZE, "ulimit -f", "a file"),
    )
    found = []
    for which, least, name, what in looked:
        soft = resource.getrlimit(which)[0]
        if 0 <= soft < least:
            found.append(f"{name} allows {soft >> 10:,} kB of {what}, {least >> 10:,} are enough")
    return found
