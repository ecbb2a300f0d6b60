"""Slowing down and saying no before the machine does.

The rules are pure and stand in :mod:`marianne.schedule.pressure`; this reads what they are about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from marianne.daemon.shared.refusal import Refused
from marianne.schedule.pressure import (
    Load,
    PressureLevel,
    ResourceEstimate,
    level_of,
    may_start_sheet,
    takes_jobs,
    with_rate_limits,
)

if TYPE_CHECKING:
    from marianne.daemon.monitor import ResourceMonitor
    from marianne.daemon.shared.rate_limits import RateLimitCoordinator
    from marianne.learning.hub import LearningHub

__all__ = ["BackpressureController", "PressureLevel", "ResourceEstimate"]

REJECTED = "System under high resource pressure - try again later"
"""What a rejected submitter is told."""

RETRY_AFTER = 5.0
"""Seconds after which it is worth to ask again: the shortest interval of the monitor."""


class BackpressureController:
    """Judges the load for the scheduler (each grant) and the manager (each submission).

    It keeps no state, takes no lock and does no I/O: any thread may ask, at any time, and each
    answer is of one reading. A monitor that failed or is degraded counts as CRITICAL.
    """

    def __init__(
        self,
        monitor: ResourceMonitor,
        rate_coordinator: RateLimitCoordinator,
        learning_hub: LearningHub | None = None,
    ) -> None:
        self._monitor = monitor
        self._rates = rate_coordinator
        self._hub = learning_hub

    def current_level(self) -> PressureLevel:
        """The level now.

        By memory as a share of its limit: over 95 % CRITICAL, over 85 % HIGH, over 70 % MEDIUM,
        over 50 % LOW. CRITICAL also while the monitor takes no work (it counts processes too);
        at least HIGH while any instrument is rate limited.
        """
        return with_rate_limits(self.resource_level(), bool(self._rates.active_limits()))

    @property
    def current_delay(self) -> float:
        """Seconds that the level stands for: 30.0 under an active rate limit. A report: what holds
        sheets back is :meth:`can_start_sheet`, and a limit holds back its own instrument's."""
        return self.current_level().delay

    def resource_level(self) -> PressureLevel:
        """The level that memory and processes alone explain: what delays every job's sheets."""
        return level_of(self._load())

    async def can_start_sheet(self) -> tuple[bool, float]:
        """Whether a sheet may start, and the seconds until the next one may.

        (False, 60.0) at CRITICAL, else (True, 0 to 30). A rate limit alone delays nothing here:
        the sheets of its instrument wait in the queue, and others must not crawl with them.
        """
        return may_start_sheet(self.resource_level())

    def should_accept_job(self) -> bool:
        """Whether a new job is taken: False over 85 % of memory or when the monitor takes no work.

        Rate limits never reject a job: they concern one instrument.
        """
        return takes_jobs(self._load())

    def check_admission(self) -> None:
        """Refuses with ``pressure`` what :meth:`should_accept_job` says no to."""
        reason = self.rejection_reason()
        if reason is not None:
            raise Refused(
                "pressure",
                REJECTED,
                hint="it passes by itself; `marianne ready` says what there is too much of",
                data={"reason": reason, "retry_after": RETRY_AFTER},
            )

    def rejection_reason(self) -> str | None:
        """``"resource"`` when a job would be rejected right now, else None."""
        return None if self.should_accept_job() else "resource"

    async def estimate_job_resource_needs(self, job_config_hash: str) -> ResourceEstimate | None:
        """What a job of this hash needed before: MB at its peak, CPU seconds, confidence 0 to 1.

        None when nothing was learned. Advice for admission, never a reason to reject.
        """
        return None if self._hub is None else self._hub.estimate(job_config_hash)

    def _load(self) -> Load:
        # Memory is read once: the thresholds must not be compared with different readings.
        monitor = self._monitor
        return Load(
            memory_mb=monitor.current_memory_mb(),
            max_memory_mb=monitor.max_memory_mb,
            accepting=monitor.is_accepting_work(),
            degraded=monitor.is_degraded,
        )
