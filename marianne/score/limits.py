"""What reading one score may cost, and how a process that reads one ended.

A score is a stranger's text. It is read in a process of its own, which calls :func:`confine` first:
the conductor's parse children and ``marianne validate`` alike.
"""

from __future__ import annotations

import os
import resource
import signal
from typing import Final, NoReturn

MEMORY_BYTES: Final = 1 << 30
CPU_SECONDS: Final = 30
EXIT_MEMORY: Final = 75
"""Exit code of a reader that had no memory left within its limit."""

NO_MEMORY: Final = (MemoryError, SystemError)
"""What a confined process raises at its limit: C code that finds no memory may forget to say which
error it is, and Python makes a SystemError of that."""

WORDS: Final = (
    "the score needs too much memory or time to read"
    f" (limits: {MEMORY_BYTES >> 20} MB, {CPU_SECONDS} s of CPU)"
)
HINT: Final = "make it smaller, or look for a loop in its templates"


def confine() -> None:
    """Bounds this process for good: address space, CPU time, no core.

    What a large program has mapped already, whose child this is, is not the score's doing.
    """
    with open("/proc/self/statm", encoding="ascii") as file:
        space = int(file.read().split()[0]) * resource.getpagesize() + MEMORY_BYTES
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard != resource.RLIM_INFINITY:
        space = min(space, hard)
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    # SIGXCPU at the first tells this end from anybody's SIGKILL; the second is for who ignores it.
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 2))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)


def out_of_memory() -> NoReturn:
    """Ends a confined process that met one of ``NO_MEMORY``, at once: nothing more can be relied
    upon."""
    os._exit(EXIT_MEMORY)


def ended_by_limit(exit_code: int | None, signal_number: int | None) -> bool:
    """Whether a confined process ended by its own limits. Any other end says nothing about the
    score: somebody killed it, or the machine had no room."""
    return exit_code == EXIT_MEMORY or signal_number == signal.SIGXCPU
