"""Places around a score, for those who need not read it."""

from __future__ import annotations

import os

OWN_INSTRUMENTS = os.path.join(".marianne", "instruments")
"""Below a score's directory: profiles for the scores in it."""


def project_root(base_dir: str) -> str:
    """The nearest directory above the score that is a repository, else the score's own."""
    start = directory = os.path.abspath(base_dir)
    while not os.path.exists(os.path.join(directory, ".git")):
        above = os.path.dirname(directory)
        if above == directory:
            return start
        directory = above
    return directory
