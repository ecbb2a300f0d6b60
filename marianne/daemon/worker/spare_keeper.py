"""Keeps ready what a job's start needs: the forkserver, and a worker process
(:mod:`marianne.daemon.worker.standby`).

A start makes another forkserver by itself; but that takes longer than all else in the start of a
short job, and would be whoever's job comes next.
"""

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


def reached_forkserver(context: Context, fleet: Fleet, known: Process | None) -> Future[Process]:
    """The forkserver, once there is one; ``known`` is the one that is watched already."""
    find = partial(context.system.processes.forkserver, known)
    return fleet.starts.ask(find, "spare")


class SpareKeeper(Actor):
    """Sees to it that there is a spare again, a moment after it was taken, or when it has died;
    and a forkserver, when that has died or its socket was removed."""

    def __init__(self, context: Context, fleet: Fleet) -> None:
        super().__init__()
        self._context = context
        self._fleet = fleet
        self._starting = False
        self._failures = 0
        self._forkserver: Process | None = None
        self._looking = False
        self._deaths = 0

    def on_start(self) -> None:
        """Not at once: a start has more urgent things to do."""
        if (waiting := self._fleet.spare.waiting) is not None:
            self.watch(waiting)  # the incarnation before did
        self.send_after(FIRST_FILL, self.fill)
        self.send_after(FIRST_FILL, self.look)

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
        if process is self._forkserver:
            log.warning("forkserver_died", pid=process.pid)
            self._forkserver = None
            self._look_again()
        elif self._fleet.spare.lost(process):
            log.warning("spare_worker_died", pid=process.pid, signal=ending.signal)
            self._again()

    # -- the forkserver -------------------------------------------------------------------------

    def look(self) -> None:
        """Is there one that can be reached? Else there is again soon."""
        if self._looking or self._context.client is not None:
            return
        self._looking = True
        self.pipe(reached_forkserver(self._context, self._fleet, self._forkserver), self.looked)

    def looked(self, outcome: Outcome[Process]) -> None:
        """It is there. Its own start is not waited for: it serves when it has loaded all."""
        self._looking = False
        if outcome.value is None:
            log.warning("no_forkserver", error=repr(outcome.error))
            self._look_again()
        elif outcome.value is self._forkserver:
            self._deaths = 0
        else:
            self._forkserver = outcome.value
            self.watch(outcome.value)

    def _look_again(self) -> None:
        self.send_after(BACKOFF.delay(self._deaths, self.name), self.look)
        self._deaths += 1

    # -------------------------------------------------------------------------------------------

    def _again(self) -> None:
        """Where each dies as it waits there is one try every few seconds."""
        self.send_after(BACKOFF.delay(self._failures, self.name), self.fill)
        self._failures += 1


def keeper_of(context: Context) -> Handle[SpareKeeper]:
    """The address of the one of this conductor."""
    return Handle(context.system, "spare")
