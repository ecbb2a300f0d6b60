"""Keeps a worker process ready (:mod:`marianne.daemon.worker.standby`)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from actors import Actor, Future, Handle, Outcome
from marianne.daemon.context import Context
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.start_delays import BACKOFF
from marianne.daemon.worker.fleet import Fleet
from marianne.daemon.worker.standby import SpareWorker, start_waiting

if TYPE_CHECKING:
    from actors.process import Process, ProcessExit

log = get_logger(__name__)

FIRST_FILL, FILL_AFTER = 0.1, 0.005
"""Seconds after a start, and after the spare was taken: whoever took it goes first."""


def start_one(context: Context, fleet: Fleet, asker: str) -> Future[SpareWorker]:
    """A process that waits for its job, once it is started; ``asker`` is who wants it."""
    start = partial(
        start_waiting, context.system, context.home, context.owner, fleet.peers, context.proof
    )
    return fleet.starts.ask(start, asker)


class SpareKeeper(Actor):
    """Sees to it that there is a spare again, a moment after it was taken, or when it has died."""

    def __init__(self, context: Context, fleet: Fleet) -> None:
        super().__init__()
        self._context = context
        self._fleet = fleet
        self._starting = False
        self._failures = 0

    def on_start(self) -> None:
        """Not at once: a start has more urgent things to do."""
        if (waiting := self._fleet.spare.waiting) is not None:
            self.watch(waiting)  # the incarnation before did
        self.send_after(FIRST_FILL, self.fill)

    def taken(self) -> None:
        """Somebody wanted it."""
        self._failures = 0
        self.send_after(FILL_AFTER, self.fill)

    def fill(self) -> None:
        """Has another started, unless one waits or is on its way.

        A private conductor has one job: what is ready for the next one would only cost it time.
        """
        if self._starting or self._context.client is not None or not self._fleet.spare.wanted:
            return
        self._starting = True
        self.pipe(start_one(self._context, self._fleet, self.name), self.started)

    def started(self, outcome: Outcome[SpareWorker]) -> None:
        """It waits. One that cannot be started is not missed by anybody, and tried again later."""
        self._starting = False
        if outcome.value is not None:
            self._fleet.spare.put(outcome.value)
            self.watch(outcome.value.process)
            return
        log.warning("no_spare_worker", error=repr(outcome.error))
        self._again()

    def on_process_exit(self, process: Process, ending: ProcessExit) -> None:
        """One that dies before a job wanted it is replaced; what has a job is the job's affair."""
        if self._fleet.spare.lost(process):
            log.warning("spare_worker_died", pid=process.pid, signal=ending.signal)
            self._again()

    def _again(self) -> None:
        """Where each dies as it waits there is one try every few seconds."""
        self.send_after(BACKOFF.delay(self._failures, self.name), self.fill)
        self._failures += 1


def keeper_of(context: Context) -> Handle[SpareKeeper]:
    """The address of the one of this conductor."""
    return Handle(context.system, "spare")
