"""Sheets that wait in the worker for the end of another of their job.

A short sheet would leave its slot empty while its end is told, judged and answered by another
grant. So the scheduler lends a job of short sheets some that hold no slot of their own
(:meth:`marianne.schedule.queue.SheetQueue.grant_ahead`): the worker begins one when another ends,
and says so. Until then such a sheet is pending like any that waits, its attempt has no number on
disk, and it can be taken back: before a job pauses or is cancelled the worker gives back what it
has not begun. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from marianne.daemon.job.limits import JobLimits
from marianne.daemon.shared.effects import EndSheets, Release, Run, Step, Withdraw
from marianne.score.plan import Plan
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus

AHEAD_SECONDS = 0.05
"""How long what is lent to a slot may take, and other jobs may have to wait for it."""

AHEAD_LIMIT = 32
"""Sheets lent to a slot at most."""

WEIGHT = 0.1
"""Of the newest sheet in the mean of how long they take."""

WAITS = (SheetStatus.PENDING, SheetStatus.WAITING)


class JobAhead(JobLimits):
    """See the head of this file."""

    def __init__(
        self, plan: Plan, job: JobRow, rows: Mapping[int, SheetRow], random: Callable[[], float]
    ) -> None:
        super().__init__(plan, job, rows, random)
        self._mean_seconds: float | None = None
        # What decides at its start whether or how a sheet runs needs a grant of its own.
        self._simple = not self._paced and all(
            sheet.cross_sheet is None
            and not sheet.skip_when
            and all(player.raw_prompt for player in (sheet.instrument, *sheet.fallbacks))
            for sheet in self.plan.sheets
        )

    def lends(self) -> int:
        """How many sheets a slot of this job may be lent."""
        mean = self._mean_seconds
        if mean is None or not self._simple or self.job.status is not JobStatus.RUNNING:
            return 0
        fit = int(AHEAD_SECONDS / max(mean, 1e-4))
        return min(fit, AHEAD_LIMIT) if fit > 1 else 0

    def grant_ahead(self, num: int, now: float) -> Step:
        """The sheet may begin as soon as another of the job ends."""
        step = Step()
        row = self._row(num)
        if self.job.status is not JobStatus.RUNNING or row.status not in WAITS:
            step.now.append(Release(num))
            return step
        self._ahead.add(num)
        completion = row.category == "validation" and row.completions > 0
        context = self._context(row)
        fallback = self._playable(row, row.fallback)
        step.now.append(Run(num, row.attempt + 1, fallback, completion, ahead=True, **context))
        return step

    def withdrawn(self, nums: Iterable[int], now: float) -> Step:
        """The worker gave back sheets that it had not begun."""
        step = Step()
        for num in nums:
            if num in self._ahead:
                self._ahead.discard(num)
                step.now.append(Release(num))
        self._ahead.clear()
        self._settle(step, now)
        return step

    def began(self, num: int, attempt: int, started_at: float) -> Step:
        """The worker says when an attempt began: for one that had a slot, its true time."""
        step = Step()
        row = self.rows.get(num)
        if row is None:
            return step
        if row.status is SheetStatus.RUNNING and row.attempt == attempt:
            row.started_at = started_at
            self._changed.add(num)
        elif row.status in WAITS and row.attempt == attempt - 1:
            self._start(row, started_at, step)
            if self.job.status is JobStatus.CANCELLING:
                step.now.append(EndSheets((num,), "cancelled"))
        return step

    def _start(self, row: SheetRow, now: float, step: Step) -> None:
        self._ahead.discard(row.num)
        super()._start(row, now, step)

    def _find_ahead(self, queued: Iterable[tuple[int, int]], step: Step) -> None:
        """After a restart: what the worker was lent by an earlier incarnation goes back."""
        self._ahead = {num for num, _ in queued}
        if self._ahead:
            step.now.append(Withdraw())

    def _took(self, seconds: float) -> None:
        """A sheet took so long."""
        mean = self._mean_seconds
        self._mean_seconds = seconds if mean is None else mean + WEIGHT * (seconds - mean)
