"""What a conductor may do to the process that it runs in: all, or next to nothing.

``python -m marianne.daemon`` gives it a process of its own. A program that embeds a conductor keeps
what is a process's only once: signals, limits, children, temporary files, the way it ends.
"""

from __future__ import annotations

import gc
import multiprocessing.util
import os
import shutil
import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from marianne import as_started
from marianne.daemon.processes import scratch
from marianne.daemon.processes.affinity import stay_on_one_core
from marianne.daemon.processes.arena import share_one_heap
from marianne.run import watermark
from marianne.run.confine import become_subreaper

if TYPE_CHECKING:
    from actors import System
    from marianne.daemon.pgroup import ProcessGroupManager
    from marianne.home import Home

SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD})


class Host(Protocol):
    """The process, for the conductor in it. ``hear`` is for its one thread that waits."""

    def take_in(self) -> None:
        """Before the first child: whose orphans come to whom."""

    def claim(self, home: Home, group: ProcessGroupManager) -> None:
        """The lock is ours: marks, group, temporary files."""

    def do_without(self, system: System) -> None:
        """Before the helpers run: those that nobody here needs are not started."""

    def movable(self, heart: int | None) -> set[int]:
        """The processes that may be moved to a control group below their own."""

    def settle(self, system: System) -> None:
        """The helpers run, and no thread of ours does yet: cores and signals."""

    def freeze(self) -> None:
        """What is loaded now stays; from now on garbage is collected."""

    def hold(self, told: Callable[[str], bool]) -> None:
        """What is replaced of the program from now on is not imported (marianne.as_started)."""

    def wake(self) -> None:
        """Has whoever waits in ``hear`` look again. From any thread."""

    def child_ended(self) -> None:
        """A child was found dead that nobody has collected."""

    def hear(self, seconds: float | None = None) -> int | None:
        """The next signal; SIGUSR1 also for ``wake``; None when nothing came in this time."""

    def leave(self, system: System, group: ProcessGroupManager) -> None:
        """The tree has ended: the helpers, and whatever else stands below us."""


class OwnProcess:
    """A process that is the conductor's alone; made in its main thread."""

    def __init__(self) -> None:
        self._pid = os.getpid()

    def take_in(self) -> None:
        """Orphans of the jobs come to us."""
        become_subreaper()

    def claim(self, home: Home, group: ProcessGroupManager) -> None:
        """All of it."""
        watermark.take(home.owner())
        group.setup()
        scratch.use(home)

    def do_without(self, system: System) -> None:
        """The resource tracker: what it keeps books of, no process of ours makes."""
        system.processes.without_tracker()

    def movable(self, heart: int | None) -> set[int]:
        """Itself and its heart: there is nobody else yet."""
        return {self._pid} if heart is None else {self._pid, heart}

    def settle(self, system: System) -> None:
        """One core, one heap; signals for ``hear`` alone."""
        share_one_heap()
        system.processes.cores = stay_on_one_core()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)

    def freeze(self) -> None:
        """No collection looks at modules and the tree again; until now there was none."""
        gc.freeze()
        gc.enable()

    def hold(self, told: Callable[[str], bool]) -> None:
        """From now on, and for as long as this process lives."""
        as_started.hold(told)

    def wake(self) -> None:
        """By a signal, which is what the main thread waits for."""
        os.kill(self._pid, signal.SIGUSR1)

    def child_ended(self) -> None:
        """Tells the main thread as the kernel would."""
        os.kill(self._pid, signal.SIGCHLD)

    def hear(self, seconds: float | None = None) -> int | None:
        """Sleeps until a signal."""
        if seconds is None:
            return signal.sigwait(SIGNALS)
        got = signal.sigtimedwait(SIGNALS, seconds)
        return None if got is None else got.si_signo

    def leave(self, system: System, group: ProcessGroupManager) -> None:
        """Ends all that is left, by proof."""
        system.processes.end_helpers(for_good=True)
        # Where the forkserver's socket was: what os._exit does not do.
        shutil.rmtree(multiprocessing.util.get_temp_dir(), ignore_errors=True)
        group.end_all_children()


class Guest:
    """A process of somebody else's program, of which nothing is changed.

    Its children may be anybody's: none is collected or ended here but by proof. The helpers
    (forkserver, resource tracker) are multiprocessing's, and end with the program.
    """

    def __init__(self) -> None:
        self._bell = threading.Event()

    def take_in(self) -> None:
        """Nothing: the program's orphans go where they went."""

    def claim(self, home: Home, group: ProcessGroupManager) -> None:
        """Nothing."""

    def do_without(self, system: System) -> None:
        """Nothing: the program may need it."""

    def movable(self, heart: int | None) -> set[int]:
        """None."""
        return set()

    def settle(self, system: System) -> None:
        """Nothing."""

    def freeze(self) -> None:
        """Nothing."""

    def hold(self, told: Callable[[str], bool]) -> None:
        """Nothing: what is imported here, and when, is the program's."""

    def wake(self) -> None:
        """Rings."""
        self._bell.set()

    def child_ended(self) -> None:
        """Nothing: it may be one that the program waits for."""

    def hear(self, seconds: float | None = None) -> int | None:
        """Sleeps until it rings."""
        if not self._bell.wait(seconds):
            return None
        self._bell.clear()
        return signal.SIGUSR1

    def leave(self, system: System, group: ProcessGroupManager) -> None:
        """Nothing: no worker is left, and the rest is the program's."""
