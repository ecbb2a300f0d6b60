"""The end of the conductor's log."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

MOST: Final = 1_000
BYTES: Final = 1 << 18
"""Of the file that are looked at, at most."""


def last(path: Path, lines: int) -> list[str]:
    """The last lines of the file, at most so many; none where there is no file."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - BYTES))
            data = file.read(BYTES)
    except FileNotFoundError:
        return []
    found = data.decode("utf-8", "replace").splitlines()
    if size > BYTES:  # the first one is not whole
        found = found[1:]
    return found[-lines:] if lines > 0 else []
