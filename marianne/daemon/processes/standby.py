"""Worker processes that do not know their job yet: preloaded, set up, waiting to be told it.

To start one takes longer than a short sheet, so one is kept ready. It is connected to
``workers.sock`` and waits at a pipe; what comes through that are the settings of
:mod:`marianne.run.worker`, and its end (the conductor closed it, or died, or never learned that the
process was born) ends the process. It belongs to nobody until it is taken and recorded.
"""

from __future__ import annotations

import multiprocessing
import threading
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from actors import Actor, Future, Outcome
from actors.process import Process
from marianne.daemon.processes.identity import proof_of
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.start_delays import BACKOFF

if TYPE_CHECKING:
    from marianne.daemon.context import Context
    from marianne.daemon.processes.identity import Peers

log = get_logger(__name__)

FIRST_FILL, FILL_AFTER = 0.1, 0.005
"""Seconds after a start, and after the spare was taken: whoever took it goes first."""

END_SECONDS = 2.0


@dataclass(slots=True, eq=False)
class SpareWorker:
    """One process that waits."""

    process: Process
    pipe: Connection
    peers: Peers
    proof: bytes  # of its name on the link

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
        self.peers.forget(self.proof)
        self.pipe.close()


def start_waiting(context: Context) -> SpareWorker:
    """Starts one; blocks as long as the forkserver does. Raises OSError or EOFError."""
    home, peers = context.home, context.peers
    theirs, ours = multiprocessing.Pipe(duplex=False)
    name = peers.new()
    with theirs:
        try:
            process = context.system.processes.start(
                "marianne.run.worker:worker_main",
                (theirs, str(home.workers_sock), str(home.rehearsal), context.owner, name),
                "marianne-spare",
                die_with_parent=False,
            )
        except BaseException:
            peers.forget(proof_of(name))
            ours.close()  # it may have been born all the same: this ends it
            raise
    return SpareWorker(process, ours, peers, proof_of(name))


class Spare:
    """At most one process. Filled by its keeper, taken by whoever lets a job in; any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: SpareWorker | None = None
        self._closed = False

    @property
    def wanted(self) -> bool:
        """Whether none waits."""
        with self._lock:
            waiting = self._waiting is not None and self._waiting.process.alive()
            return not (self._closed or waiting)

    def put(self, worker: SpareWorker) -> None:
        """This one waits from now on; one too many ends."""
        unwanted: SpareWorker | None = worker
        with self._lock:
            if not self._closed:
                unwanted, self._waiting = self._waiting, unwanted
        if unwanted is not None:
            unwanted.dismiss()

    def take(self) -> SpareWorker | None:
        """The process that waits, if there is one and it is not dead."""
        with self._lock:
            waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.process.alive():
            waiting.dismiss()
            return None
        return waiting

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
        self._starting = False
        self._failures = 0

    def on_start(self) -> None:
        """Not at once: a start has more urgent things to do."""
        self.send_after(FIRST_FILL, self.fill)

    def taken(self) -> None:
        """The spare has a job."""
        self.send_after(FILL_AFTER, self.fill)

    def fill(self) -> None:
        """Has another started, unless one waits or is on its way.

        A private conductor has one job: what is ready for the next one would only cost it time.
        """
        context = self._context
        if self._starting or context.client is not None or not context.spare.wanted:
            return
        self._starting = True
        start = partial(start_waiting, context)
        started: Future[SpareWorker] = context.starts.ask(start, self.name)
        self.pipe(started, self.started)

    def started(self, outcome: Outcome[SpareWorker]) -> None:
        """It waits. One that cannot be started is not missed by anybody, and tried again later."""
        self._starting = False
        if outcome.value is not None:
            self._failures = 0
            self._context.spare.put(outcome.value)
            return
        log.warning("no_spare_worker", error=repr(outcome.error))
        self.send_after(BACKOFF.delay(self._failures, self.name), self.fill)
        self._failures += 1
