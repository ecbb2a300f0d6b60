"""Where a warden keeps its files on its node, as all who come to it know it, and what is said where
that cannot be."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path

ELSEWHERE = "set node_directory of the executor in conductor.yaml"

FULL = (errno.ENOSPC, errno.EDQUOT)


def in_words(error: OSError, place: Path | str) -> str:
    """What is wrong with a file of a node, and what to do; ``place`` where the error names none."""
    where, why = error.filename or place, error.strerror
    if error.errno in FULL:
        return f"{where}: its disk is full ({why}): free some of it"
    return f"{where}: {why}: user {os.getuid()} must be able to write there" if why else str(error)


def directory_of(parent: str | None, name: str) -> Path:
    """The warden's directory of this name, below ``parent`` (None: the machine's temporary one).
    Raises OSError where it cannot be made, or is not ours alone."""
    home = Path(parent or tempfile.gettempdir()) / f"marianne-{os.getuid()}"
    for one in (home, home / name):
        one.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = one.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise PermissionError(f"{one} is no directory of ours: remove it, or {ELSEWHERE}")
        if found.st_mode & 0o077:
            one.chmod(0o700)
    return home / name
