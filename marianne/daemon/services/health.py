"""Carries the health checker in the conductor's tree, and watches who must not be outlived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from actors import Actor, Outcome, Promise
from actors.process import Process, ProcessExit
from marianne.daemon import ports
from marianne.daemon.at_once import at_once
from marianne.daemon.context import Context
from marianne.daemon.health import HealthChecker
from marianne.daemon.services.learning import LearningActor
from marianne.daemon.services.monitor import MonitorActor
from marianne.daemon.shared.log import get_logger
from marianne.run.procfs import start_time

if TYPE_CHECKING:
    from marianne.replies.conductor import Readiness

log = get_logger(__name__)

CLIENT_ENDED = "its client ended"


class HealthActor(Actor):
    """Asks the monitor for a reading and the manager for a sign of life before it judges."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._checker = HealthChecker(
            context.face,
            context.resources,
            start_time=context.started_at,
            learning_store=_Learning(context),
            later=lambda seconds, _: self.send_after(seconds, self.due),
        )

    def on_start(self) -> None:
        """Watches the heart: without it nobody would replace this conductor."""
        pid = self._context.heart_pid
        if pid is not None:
            heart = self._context.system.processes.adopt(pid, start_time(pid) or 0)
            if heart is not None:
                self.watch(heart)
            else:
                self._heart_died(pid)
        if self._context.heart_lost:
            self._watch_client()
        self.start_periodic_checks()

    def on_process_exit(self, process: Process, exit: ProcessExit) -> None:  # noqa: A002
        """The heart died. The conductor goes on, says so, and is not ready any more.

        Or the client of a private conductor did, which only the heart watches while it lives.
        """
        if self._context.heart_lost:
            self._context.stop.ask("stop", why=CLIENT_ENDED)
            return
        self._heart_died(process.pid)

    def _heart_died(self, pid: int) -> None:
        log.error("heart_lost", pid=pid)
        self._context.heart_pid = None
        self._context.heart_lost = True
        self._watch_client()

    def _watch_client(self) -> None:
        if self._context.client is None:
            return
        client = self._context.system.processes.adopt(*self._context.client)
        if client is None:
            self._context.stop.ask("stop", why=CLIENT_ENDED)
        else:
            self.watch(client)

    # -- asked ----------------------------------------------------------------------------------

    def liveness(self) -> dict[str, Any]:
        """As :meth:`HealthChecker.liveness`."""
        return at_once(self._checker.liveness())

    def readiness(self) -> Promise[Readiness]:
        """As :meth:`HealthChecker.readiness`, by a reading that is taken now."""
        promise: Promise[Readiness] = self.promise()
        looked = self._context.monitor.call(MonitorActor.check_now)
        self.pipe(looked, self.looked, promise)
        return promise

    def looked(self, outcome: Outcome[Any], promise: Promise[Readiness]) -> None:
        """The monitor took a reading, or is being restarted: then nothing is accepted."""
        counted = self._context.manager.call(ports.Jobs.counts)
        self.pipe(counted, self.counted, outcome.ok, promise)

    def counted(
        self, outcome: Outcome[dict[str, int]], seen: bool, promise: Promise[Readiness]
    ) -> None:
        """The manager answered, or is being restarted: then we are not ready."""
        told = cast("Readiness", at_once(self._checker.readiness()))
        if not seen:
            told["accepting_work"] = False
        if not (seen and outcome.ok):
            told["status"] = "not_ready"
        promise.set(told)

    # -- diversity ------------------------------------------------------------------------------

    def on_job_completed(self) -> None:
        """A job came to an end."""
        self._checker.on_job_completed()

    def start_periodic_checks(self) -> None:
        """From now on, by the interval that is configured now."""
        at_once(self._checker.start_periodic_checks())

    def stop_periodic_checks(self) -> None:
        """Those after ten jobs go on."""
        at_once(self._checker.stop_periodic_checks())

    def due(self) -> None:
        """The interval has passed."""
        self._checker.due()


class _Learning:
    """What is learned is its actor's; it is told, and nobody waits for it."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def check_diversity(self) -> None:
        self._context.learning.tell(LearningActor.check_diversity)
