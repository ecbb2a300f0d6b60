"""What holds for all systems of a process: they end with it, and in a fork of it they are dead."""

from __future__ import annotations

import atexit
import os
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from actors.system import System

EXIT_SECONDS = 5.0
"""For the actors of a system that nobody shut down before the interpreter ends."""

_systems: WeakSet[System] = WeakSet()


def guard(system: System) -> None:
    """From now on."""
    _systems.add(system)


def _at_exit() -> None:
    for system in list(_systems):
        if not system.closing:
            system.shutdown(EXIT_SECONDS)


def _in_fork() -> None:
    for system in list(_systems):
        system.bury()


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_in_fork)
