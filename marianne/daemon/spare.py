"""A worker process that is there before its job: preloaded, set up, waiting to be told what it is.

To start one takes longer than a short sheet. The spare waits at a pipe; what comes through it are
the settings of :func:`marianne.run.worker.worker_main`, and its end (the conductor closed it, or
died) ends the spare. It belongs to nobody until a worker actor takes it and records it like any
other process.
"""

from __future__ import annotations

import multiprocessing
import threading
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from actors import Actor
from actors.process import Process
from marianne.daemon.log import get_logger

if TYPE_CHECKING:
    from actors.processes import Processes
    from marianne.daemon.context import Context

log = get_logger(__name__)

FIRST_FILL, FILL_AFTER = 0.5, 0.02
"""Seconds after a start, and after the spare was taken: whoever took it goes first."""

END_SECONDS = 2.0


class Spare:
    """At most one process. Filled by its keeper, taken by worker actors; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: tuple[Process, Connection] | None = None
        self._closed = False

    def fill(self, processes: Processes) -> None:
        """Starts one if none waits. Raises OSError."""
        with self._lock:
            if self._closed or (self._waiting is not None and self._waiting[0].alive()):
                return
            theirs, ours = multiprocessing.Pipe(duplex=False)
            with theirs:
                process = processes.start(
                    "marianne.run.worker:spare_main",
                    (theirs,),
                    "marianne-spare",
                    die_with_parent=False,
                )
            self._waiting = process, ours

    def take(self, settings: dict[str, Any], name: str) -> Process | None:
        """The process, which works by these settings from now on; None if none waits."""
        with self._lock:
            waiting, self._waiting = self._waiting, None
        if waiting is None:
            return None
        process, pipe = waiting
        with pipe:
            try:
                pipe.send(settings)
            except OSError:  # it died
                return None
        process.name = name
        return process

    def close(self) -> None:
        """Ends it, and keeps another from being started."""
        with self._lock:
            waiting, self._waiting, self._closed = self._waiting, None, True
        if waiting is not None:
            waiting[1].close()
            waiting[0].wait(END_SECONDS)


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
            self._context.spare.fill(self._context.system.processes)
        except (OSError, EOFError) as error:
            log.warning("no_spare_worker", error=repr(error))
