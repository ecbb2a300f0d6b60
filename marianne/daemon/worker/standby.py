"""Worker processes that do not know their job yet: preloaded, set up, waiting to be told it.

To start one takes longer than a short sheet, so one is kept ready. It is connected to
the workers' socket and waits at a pipe; what comes through that are the settings of
:mod:`marianne.run.worker`, and its end (the conductor closed it, or died, or never learned that the
process was born) ends the process. It belongs to nobody until it is taken and recorded.
"""

from __future__ import annotations

import multiprocessing
import threading
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from actors.process import Process
from marianne.daemon.worker.identity import proof_of
from marianne.records import dataclass

if TYPE_CHECKING:
    from actors import System
    from marianne.daemon.shared.proof import Proof
    from marianne.daemon.worker.identity import Peers
    from marianne.home import Home

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


def start_waiting(
    system: System, home: Home, owner: str, peers: Peers, proof: Proof
) -> SpareWorker:
    """Starts one; blocks as long as the forkserver does. Raises OSError or EOFError."""
    theirs, ours = multiprocessing.Pipe(duplex=False)
    key = proof.public
    place = home.old_workers_sock if key is None else home.workers_sock
    name = peers.new(guarded=key is not None)
    with theirs:
        try:
            process = system.processes.start(
                "marianne.run.worker:worker_main",
                (theirs, str(place), str(home.rehearsal), owner, name, key),
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

    @property
    def waiting(self) -> Process | None:
        """The process that waits, be it dead."""
        with self._lock:
            return None if self._waiting is None else self._waiting.process

    def lost(self, process: Process) -> bool:
        """Whether it is the one that waited: it is given up."""
        with self._lock:
            if self._waiting is None or self._waiting.process is not process:
                return False
            waiting, self._waiting = self._waiting, None
        waiting.dismiss()
        return True

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
