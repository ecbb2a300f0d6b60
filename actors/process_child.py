"""What runs first in a child process. Imported by the forkserver: keep it small."""

from __future__ import annotations

import os
import select
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PARENT_DIED = 71
"""Exit code of a child that ended because its parent had."""


def run(
    parent: tuple[int, int] | None,
    cores: frozenset[int] | None,
    setup: Callable[[], object] | None,
    target: Callable[..., object] | str,
    args: tuple[Any, ...],
) -> None:
    """Watches the parent if there is one to watch, sets up, then runs the target.

    It runs on `cores`; None: on those of whoever started the forkserver.
    """
    if cores is not None:
        try:
            os.sched_setaffinity(0, cores)
        except OSError:  # none of them is left to us (cpuset(7)): then where we are
            pass
    if parent is not None:
        die_with(*parent)
    if setup is not None:
        setup()
    if isinstance(target, str):
        module, _, name = target.partition(":")
        target = getattr(import_module(module), name)
        assert callable(target)
    target(*args)


def die_with(pid: int, start_time: int) -> None:
    """Ends this process when that one has ended, within milliseconds, whatever this one does.

    PR_SET_PDEATHSIG would not do: it follows the parent by birth, and that is the forkserver.
    """
    from actors.process import open_pidfd

    opened = open_pidfd(pid, start_time)
    if opened is None:
        os._exit(PARENT_DIED)
    pidfd = opened[0]

    def watch() -> None:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        poll.poll()
        os._exit(PARENT_DIED)

    threading.Thread(target=watch, name="die-with-parent", daemon=True).start()


def probe(modules: list[str]) -> None:
    """Exits 0 if all modules were preloaded."""
    import sys

    sys.exit(any(name not in sys.modules for name in modules))
