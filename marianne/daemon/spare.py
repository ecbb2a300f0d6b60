"""A worker process that is there before its job: preloaded, set up, waiting to be told what it is.

To start one takes longer than a short sheet. The spare is connected to ``workers.sock`` and waits
at a pipe; what comes through that are the settings of :func:`marianne.run.worker.worker_main`, and
its end (the conductor closed it, or died) ends the spare. It belongs to nobody until it is taken
and recorded like any other worker.
"""

from __future__ import annotations

import multiprocessing
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from actors import Actor
from actors.process import Process
from marianne.daemon.log import get_logger

if TYPE_CHECKING:
    from actors.processes import Processes
    from marianne.daemon.context import Context
    from marianne.home import Home

log = get_logger(__name__)

FIRST_FILL, FILL_AFTER = 0.1, 0.005
"""Seconds after a start, and after the spare was taken: whoever took it goes first."""

END_SECONDS = 2.0


@dataclass(slots=True, eq=False)
class SpareWorker:
    """One process that waits."""

    process: Process
    pipe: Connection

    def employ(self, settings: dict[str, Any], name: str) -> bool:
        """Has it work by these settings from now on; False if it is no more."""
        with self.pipe:
            try:
                self.pipe.send(settings)
            except OSError:
                return False
        self.process.name = name
        return True

    def dismiss(self) -> None:
        """It ends."""
        self.pipe.close()


class Spare:
    """At most one process. Filled by its keeper, taken by whoever lets a job in; any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: SpareWorker | None = None
        self._closed = False

    def fill(self, processes: Processes, home: Home, owner: str) -> None:
        """Starts one if none waits. Raises OSError."""
        with self._lock:
            if self._closed or (self._waiting is not None and self._waiting.process.alive()):
                return
        # Not under the lock: a start may take long, and nobody who lets a job in waits for it.
        theirs, ours = multiprocessing.Pipe(duplex=False)
        with theirs:
            process = processes.start(
                "marianne.run.worker:spare_main",
                (theirs, str(home.workers_sock), str(home.rehearsal), owner),
                "marianne-spare",
                die_with_parent=False,
            )
        unwanted: SpareWorker | None = SpareWorker(process, ours)
        with self._lock:
            if not self._closed:
                unwanted, self._waiting = self._waiting, unwanted
        if unwanted is not None:
            unwanted.dismiss()

    def take(self) -> SpareWorker | None:
        """The process that waits, if there is one and it is not dead."""
        with self._lock:
            waiting, self._waiting = self._waiting, None
        return waiting if waiting is not None and waiting.process.alive() else None

    def close(self) -> None:
        """Ends it, and keeps another from being started."""
        with self._lock:
            waiting, self._waiting, self._closed = self._waiting, None, True
        if waiting is not None:
            waiting.dismiss()
            waiting.process.wait(END_SECONDS)


class SpareKeeper(Actor):
    """Sees to it that there is a spare again, a moment after it was taken."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def on_start(self) -> None:
        """Not at once: a start has more urgent things to do."""
        self.send_after(FIRST_FILL, self.fill)

    def taken(self) -> None:
        """The spare has a job."""
        self.send_after(FILL_AFTER, self.fill)

    def fill(self) -> None:
        """Starts another; one that cannot be started is not missed."""
        try:
            context = self._context
            context.spare.fill(context.system.processes, context.home, context.owner)
        except (OSError, EOFError) as error:
            log.warning("no_spare_worker", error=repr(error))
