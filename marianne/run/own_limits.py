"""Resource limits of our own processes, and how sheets get those back that we were started with.

The conductor raises its open files to the hard limit: each job, client and tail costs it some. None
of ours writes a core, which would hold every environment it knows, in the home. A sheet finds what
it would find in the shell that the conductor was started from.

Standard library only: the heart uses this file.
"""

from __future__ import annotations

import os
import resource

VARIABLE = "MARIANNE_ORIGINAL_LIMITS"
"""Carries the soft limits from process to process of ours; sheets do not get our environment."""

MOST_FILES = 1 << 20
"""What is taken of a hard limit that has no bound."""


def write_no_core() -> None:
    """Notes the limits that we were started with, unless one above us did, and gives up cores."""
    _original()
    _set(resource.RLIMIT_CORE, 0)


def raise_files() -> None:
    """Raises the open files of this process to the hard limit; call ``write_no_core`` before."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    _set(resource.RLIMIT_NOFILE, MOST_FILES if hard == resource.RLIM_INFINITY else hard)


def restore_files() -> None:
    """Back to the open files that we were started with, for a process that starts sheets."""
    _set(resource.RLIMIT_NOFILE, _original()[0])


class Cores:
    """Gives what is spawned its right to write a core back, and the spawner none."""

    def __init__(self) -> None:
        self._theirs = _original()[1]
        self._matters = resource.getrlimit(resource.RLIMIT_CORE)[0] != self._theirs

    def lend(self) -> None:
        """Before a spawn."""
        if self._matters:
            _set(resource.RLIMIT_CORE, self._theirs)

    def take_back(self) -> None:
        """After it."""
        if self._matters:
            _set(resource.RLIMIT_CORE, 0)


def _original() -> tuple[int, int]:
    """The soft limits of open files and of cores that the first of us was started with."""
    try:
        files, core = map(int, os.environ[VARIABLE].split(","))
    except (KeyError, ValueError):
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        core = resource.getrlimit(resource.RLIMIT_CORE)[0]
        os.environ[VARIABLE] = f"{files},{core}"
    return files, core


def _set(which: int, soft: int) -> None:
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY and (soft == resource.RLIM_INFINITY or soft > hard):
        soft = hard
    try:
        resource.setrlimit(which, (soft, hard))
    except (OSError, ValueError):
        pass  # it is a comfort, not a promise
