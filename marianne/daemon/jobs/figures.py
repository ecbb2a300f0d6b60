"""What the job manager tells of all jobs and of the conductor. Part of the job manager."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from actors import Future, Outcome, Promise
from marianne.daemon.jobs.admission import Admission
from marianne.daemon.shared.unforeseen import question
from marianne.daemon.views import queries
from marianne.state.models import JobStatus


class Figures(Admission):
    """The questions that are of no single job."""

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
        from marianne.daemon.services.rates import RatesActor

        promise: Promise[dict[str, Any]] = self.promise()
        asked: Future[Any] = self._context.rates.call(
            RatesActor.clear_limits, instrument, request_id
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
        return {"running_jobs": self._live.admitted, "total_jobs_active": len(self._live)}

    def get_daemon_status(self) -> dict[str, Any]:
        """DaemonStatus as a map, with heart_pid, ready, pressure, disk (bytes) and home."""
        from marianne.daemon.types import DaemonStatus

        face = self._context.face
        told = queries.daemon_status(self._context, self.counts())
        told["uptime_seconds"] = round(face.uptime_seconds, 1)
        return {
            **told,
            **DaemonStatus.model_validate(told).model_dump(),
            "shutting_down": face.shutting_down,
            "active_sheets": face.active_job_count,
            "failure_rate_elevated": face.failure_rate_elevated,
            "notifications_degraded": face.notifications_degraded,
        }
