"""What the job manager tells of all jobs and of the conductor. Part of the job manager."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from actors import Future, Handle, Outcome, Promise
from marianne.clock import steady
from marianne.daemon import queries
from marianne.daemon.admission import Admission
from marianne.daemon.unforeseen import question
from marianne.state.models import JobStatus

if TYPE_CHECKING:
    from marianne.daemon.backpressure import BackpressureController
    from marianne.daemon.events import Events
    from marianne.daemon.learning_hub import LearningHub
    from marianne.daemon.rates import RateLimitCoordinator
    from marianne.daemon.scheduler import GlobalSheetScheduler


class Figures(Admission):
    """The documented questions that are of no single job, and who else can be asked."""

    @question
    def list_jobs(
        self,
        statuses: Collection[JobStatus] | None = None,
        limit: int = 50,
        cursor: int | None = None,
    ) -> dict[str, Any]:
        """Jobs in these statuses (None: all) with their progress, newest first, as committed.

        ``jobs``, ``cursor`` (what goes on with the next page; None at the end) and ``total``.
        """
        return queries.page(self._reader, statuses, limit, cursor)

    def clear_rate_limits(
        self, instrument: str | None = None, request_id: str | None = None
    ) -> Promise[dict[str, Any]]:
        """Ends the rate limits of an instrument, or all; what waits for them goes on at once.

        Answers ``cleared`` (a number), ``instrument`` and ``keys`` when that is on disk.
        """
        from marianne.daemon.rates import RateLimitCoordinator

        promise: Promise[dict[str, Any]] = self.promise()
        asked: Future[Any] = self.rate_coordinator.call(
            RateLimitCoordinator.clear_limits, instrument, request_id
        )
        self.pipe(asked, self.rate_limits_cleared, promise)
        return promise

    def rate_limits_cleared(
        self, outcome: Outcome[dict[str, Any]], promise: Promise[dict[str, Any]]
    ) -> None:
        """The coordinator answered, or is being restarted (the client asks again)."""
        if outcome.error is not None:
            promise.fail(outcome.error)
        else:
            promise.set(outcome.value or {})

    def counts(self) -> dict[str, int]:
        """How many jobs are admitted and how many are not over at all."""
        return {"running_jobs": self.running_count, "total_jobs_active": len(self._live)}

    def get_daemon_status(self) -> dict[str, Any]:
        """DaemonStatus as a map, with heart_pid, ready, pressure, disk (bytes) and home."""
        return {
            **queries.daemon_status(self._context, self.counts()),
            "uptime_seconds": round(self.uptime_seconds, 1),
            "shutting_down": self.shutting_down,
            "active_sheets": self.active_job_count,
            "failure_rate_elevated": self.failure_rate_elevated,
            "notifications_degraded": self.notifications_degraded,
        }

    @property
    def running_count(self) -> int:
        """Admitted jobs."""
        return self._live.admitted

    @property
    def active_job_count(self) -> int:
        """Sheets of all jobs that run now, as committed: what fair share is measured by."""
        return self._reader.running_sheets()

    @property
    def failure_rate_elevated(self) -> bool:
        """Whether more than three jobs failed unexpectedly within the last 60 s."""
        return self._context.failures.elevated(time.monotonic())

    @property
    def notifications_degraded(self) -> bool:
        """Whether three notices in a row reached nobody."""
        return self._context.delivery.degraded

    @property
    def shutting_down(self) -> bool:
        """Whether the conductor was asked to end."""
        return self._context.stop.mode is not None

    @property
    def uptime_seconds(self) -> float:
        """Seconds since this conductor started."""
        return steady() - self._context.started_at

    @property
    def rate_coordinator(self) -> Handle[RateLimitCoordinator]:
        """The rate limits in force, of all jobs."""
        return self._context.rates

    @property
    def scheduler(self) -> Handle[GlobalSheetScheduler]:
        """Who grants sheets their turn."""
        return self._context.scheduler

    @property
    def backpressure(self) -> BackpressureController:
        """How much is taken on."""
        return self._context.backpressure

    @property
    def learning_hub(self) -> Handle[LearningHub]:
        """Who learns from how jobs end."""
        return self._context.learning

    @property
    def event_bus(self) -> Handle[Events]:
        """Who publishes what is committed."""
        return self._context.events

    @property
    def observer_recorder(self) -> None:
        """Nobody: what happens is recorded as events, by the store."""
        return
