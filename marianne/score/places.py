"""Places around a score, for those who need not read it."""

from __future__ import annotations

import os
from functools import lru_cache

OWN_INSTRUMENTS = os.path.join(".marianne", "instruments")
"""Below a score's directory: profiles for the scores in it."""


def project_root(base_dir: str) -> str:
    """The nearest directory above the score that is a repository, else the score's own."""
    start = os.path.abspath(base_dir)
    for directory in _upwards(start):
        try:
            os.stat(f"{directory}/.git")
        except (OSError, ValueError):
            continue
        return directory or "/"
    return start


@lru_cache(maxsize=64)
def _upwards(path: str) -> tuple[str, ...]:
    """An absolute path without a slash at its end, and those above it; the root is empty."""
    path = path.rstrip("/")
    above = [path[:at] for at, letter in enumerate(path) if letter == "/"]
    return (path, *reversed(above)) if path else ("",)
