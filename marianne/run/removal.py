"""Removing directory trees, in a process of its own where there may be much of it.

Such a process imports this module, so it knows next to nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

REMOVE = "marianne.run.removal:remove_trees"
"""For a process whose parent need not know more."""


def remove_trees(paths: Iterable[str]) -> None:
    """Removes directory trees; what is gone already is fine."""
    for path in paths:
        if Path(path).is_dir():
            shutil.rmtree(path)
