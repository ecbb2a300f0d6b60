"""What is done when a job is over, and when all are: who waits is answered, who counts is told."""

from __future__ import annotations

from typing import Any

from actors import Future, Outcome, Promise
from marianne.daemon.jobs.desk import Desk
from marianne.daemon.services.health import HealthActor
from marianne.daemon.services.learning import LearningActor
from marianne.daemon.services.monitor import MonitorActor
from marianne.daemon.services.retention import Retention
from marianne.daemon.services.scheduler import SchedulerActor


class Ending:
    """Takes jobs that are over out of the roster, and knows when a conductor that is to end has
    wound down."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._winding_down = self._drain = self._drained = False
        self._when_wound_down: list[Promise[None]] = []

    def away(self, job_id: str) -> None:
        """The job is over, on disk, and nothing follows it any more."""
        context = self._desk.context
        live = self._desk.live.pop(job_id)
        self._desk.live.hooks_run.discard(job_id)
        context.start_delays.over(job_id)
        self._look()
        context.retention.tell(Retention.job_ended)
        context.learning.tell(LearningActor.job_ended, job_id)
        context.health.tell(HealthActor.on_job_completed)
        if context.resources.awaited:
            # What it used is free, and the last reading does not know it.
            context.monitor.tell(MonitorActor.check)
        self._desk.tell_waiting(live)

    def wind_down(self, *, drain: bool) -> None:
        """From now on :meth:`wound_down` is answered when every job is over, or, with ``drain``, no
        sheet and no command of a hook runs any more."""
        self._winding_down, self._drain = True, drain
        if drain:
            scheduler = self._desk.context.scheduler.within(None)
            drained: Future[Any] = scheduler.call(SchedulerActor.drain)
            self._desk.turns.pipe(drained, self.drained)
        else:
            self._look()

    def drained(self, outcome: Outcome[Any]) -> None:
        """No sheet runs any more; without a scheduler there is nothing to wait for either."""
        self._drained = True
        self._look()

    def wound_down(self) -> Promise[None]:
        """Returns when what :meth:`wind_down` began is done."""
        promise: Promise[None] = self._desk.turns.promise()
        self._when_wound_down.append(promise)
        self._look()
        return promise

    def _look(self) -> None:
        if self._winding_down and (self._is_drained() if self._drain else self._only_hooks()):
            for promise in self._when_wound_down:
                promise.set(None)
            self._when_wound_down.clear()

    def _is_drained(self) -> bool:
        """Whether nothing runs that is to come to its own end."""
        return self._drained and not self._desk.live.hooks_run

    def _only_hooks(self) -> bool:
        """Whether every job is over: the hooks that are left are the next conductor's."""
        return all(live.over for live in self._desk.live.values())
