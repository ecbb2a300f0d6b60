"""How long a job has run, and the wall clock by which it waits.

Time counts while a conductor has the job and it is not paused, also while its sheets wait. Pure:
who looks says what time it is.
"""

from __future__ import annotations

from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.effects import Step
from marianne.state.models import SheetStatus

CLOCK_SECONDS = 600.0
"""How often it is noted how long a job has run: so much of it the conductor's death may lose."""


class JobClock:
    """``ran`` is in seconds, as of the last count; a restart goes on from what was noted."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.ran = float(ledger.job.options.get("ran_seconds") or 0.0)
        self._counted_at: float | None = None

    def count(self, step: Step, now: float) -> None:
        """Notes the time since the last count; the first one only begins."""
        if self._counted_at is not None:
            # No look is later than that: more is a clock that was set, or a machine that slept.
            self.ran += min(max(0.0, now - self._counted_at), 2 * CLOCK_SECONDS)
            self._ledger.keep_option(step, "ran_seconds", round(self.ran, 1))
        self._counted_at = now

    def next_look(self, timeout: float) -> float:
        """Seconds until the time is to be counted again, in a job that may run for ``timeout``."""
        return min(max(timeout - self.ran, 0.001), CLOCK_SECONDS)

    def moved(self, step: Step, by: float) -> None:
        """The wall clock was set by so many seconds: the sheets that wait move along, with the
        attempt since whose end they wait: a restart finds by both how long the whole wait is."""
        for row in self._ledger.rows.values():
            if row.status is SheetStatus.WAITING and row.due_at is not None:
                row.due_at += by
                row.started_at = _later(row.started_at, by)
                row.finished_at = _later(row.finished_at, by)
                self._ledger.save(step, row)
        if self._counted_at is not None:
            self._counted_at += by


def _later(moment: float | None, by: float) -> float | None:
    return None if moment is None else moment + by
