"""What runs first in a child process. Imported by the forkserver: keep it small."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from actors import leash

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

PARENT_DIED = 71
"""Exit code of a child that ended because its parent had."""


def run(
    parent: Connection | None,
    cores: frozenset[int] | None,
    setup: Callable[[], object] | None,
    target: Callable[..., object] | str,
    args: tuple[Any, ...],
) -> None:
    """Ties itself to the parent if it shall end with it, sets up, then runs the target.

    It runs on `cores`; None: on those of whoever started the forkserver.
    """
    if cores is not None:
        try:
            os.sched_setaffinity(0, cores)
        except OSError:  # none of them is left to us (cpuset(7)): then where we are
            pass
    if parent is not None and not leash.put_on(parent):
        os._exit(PARENT_DIED)
    if setup is not None:
        setup()
    if isinstance(target, str):
        module, _, name = target.partition(":")
        target = getattr(import_module(module), name)
        assert callable(target)
    target(*args)


def probe(modules: list[str]) -> None:
    """Exits 0 if all modules were preloaded."""
    import sys

    sys.exit(any(name not in sys.modules for name in modules))
