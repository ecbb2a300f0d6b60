"""Where a warden keeps its files on its node, as all who come to it know it."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def directory_of(parent: str | None, name: str) -> Path:
    """The warden's directory of this name, below ``parent`` (None: the machine's temporary one).
    Raises OSError where it cannot be made, or is not ours alone."""
    home = Path(parent or tempfile.gettempdir()) / f"marianne-{os.getuid()}"
    for one in (home, home / name):
        one.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = one.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise PermissionError(
                f"{one} is no directory of ours: remove it, or set node_directory"
            )
        if found.st_mode & 0o077:
            one.chmod(0o700)
    return home / name
