"""The sheets that run for what came of others (``when: failed``, ``when: always``), also after a
cancel.

Such a sheet waits until all its needs have ended. Whether it runs then is read from the rows alone,
so that whoever starts over comes to the same; a sheet that is not needed is skipped in the
transaction of the last end. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from marianne.daemon.job import endings
from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.effects import Step, Unblock
from marianne.model.plan import Growth, SheetPlan
from marianne.schedule.explain import Explanation
from marianne.state.models import NOT_NEEDED, JobStatus, SheetRow, SheetStatus

CUT_SHORT = "cancelled_twice"
"""The option of a job that was cancelled once more: nothing of it runs any longer."""

_NAMED = 5
"""So many needs are named; of the others it is said how many they are."""


class Aftermath:
    """Decides about these sheets of one job. Costs a job that has none nothing."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._nums = [s.num for s in ledger.plan.sheets if s.when != "succeeded"]
        self._open: dict[int, int] = {}  # by sheet that is not decided: needs that have not ended
        self._due: list[int] = []
        self._freed: set[int] = set()  # to be queued when that is on disk
        self._closing = False
        if self._nums:
            ledger.ended = []
        for num in self._nums:
            self._open[num] = len(self._not_over(num))
            if not self._open[num]:
                self._due.append(num)

    # -- asked ----------------------------------------------------------------------------------

    def waits(self, num: int) -> bool:
        """Whether the sheet is one that waits for ends which have not all come."""
        return num in self._open

    def outlives(self, num: int) -> bool:
        """Whether a cancel leaves this sheet alone: it may run until a second one."""
        return self._sheet(num).after_cancel and not self._cut_short

    def outlives_any(self) -> bool:
        """Whether there are sheets that a cancel leaves alone."""
        return any(map(self.outlives, self._nums))

    def running(self) -> int:
        """How many sheets run that a cancel leaves alone."""
        rows = (self._ledger.peek(num) for num in filter(self.outlives, self._nums))
        return sum(row.status is SheetStatus.RUNNING for row in rows)

    def starts(self, num: int) -> bool:
        """Whether the sheet may begin, as its job stands."""
        status = self._ledger.job.status
        if status is JobStatus.RUNNING:
            return True
        return status is JobStatus.CANCELLING and self.outlives(num)

    def kept_back(self) -> dict[int, Explanation]:
        """Why sheets wait for ends that have not come."""
        return {num: self._explain(num) for num in self._open if self._is_pending(num)}

    # -- what happens ---------------------------------------------------------------------------

    def decide(self, step: Step, now: float) -> None:
        """Whose needs have all ended is skipped with the reason, or queued when that is on disk."""
        ended = self._ledger.ended
        while ended or self._due:
            while ended:
                self._note_end(ended.pop())
            due, self._due = sorted(self._due), []
            for num in due:
                self._judge(step, num, now)

    def grown(self, growth: Growth) -> None:
        """A list has added sheets, and what waits for the end of the list waits for theirs too."""
        for num in self._ledger.dependents(growth.source):
            if num in self._open:
                self._open[num] += len(growth.items)

    def queued(self) -> None:
        """The job's sheets were handed to the scheduler anew, those that were freed among them."""
        self._freed.clear()

    def frees(self, num: int) -> bool:
        """That it may run is on disk: whether it is to be queued, as it was not meanwhile."""
        freed = num in self._freed
        self._freed.discard(num)
        return freed

    def close(self, step: Step, now: float) -> bool:
        """Nothing else of a job that is being cancelled runs any more: cancels what will not run.

        Returns whether something is to run now that nobody has queued.
        """
        endings.cancel_open(self._ledger, step, self.outlives)
        if not self._closing:
            # What was queued before: is there anything to do for it?
            self._due += (n for n in self._nums if n not in self._open and self._is_pending(n))
        self.decide(step, now)
        if self._ledger.all_over() or self._closing:
            return False
        self._closing = True
        return True

    def cut_short(self, step: Step) -> None:
        """The job is cancelled once more: what runs since the first time is to end as well."""
        self._ledger.keep_option(step, CUT_SHORT, True)

    # -- small parts ----------------------------------------------------------------------------

    @property
    def _cut_short(self) -> bool:
        return bool(self._ledger.job.options.get(CUT_SHORT))

    def _is_pending(self, num: int) -> bool:
        return self._ledger.peek(num).status is SheetStatus.PENDING

    def _note_end(self, num: int) -> None:
        for upper in self._ledger.dependents(num):
            if upper in self._open:
                self._open[upper] -= 1
                if not self._open[upper]:
                    self._due.append(upper)

    def _judge(self, step: Step, num: int, now: float) -> None:
        self._open.pop(num, None)
        ledger, status = self._ledger, self._ledger.job.status
        if not self._is_pending(num):
            return
        if status is JobStatus.CANCELLING and not self.outlives(num):
            return  # cancelled with all that will not run
        if status is JobStatus.CANCELLING and not self._has_cause(num):
            why = "not needed: nothing that it waits for had begun"
            ledger.set_row(step, ledger.row(num), SheetStatus.CANCELLED, message=why)
        elif self._sheet(num).when == "failed" and not any(self._bad(num)):
            why = "not needed: nothing that it waits for has failed"
            fields = {"category": NOT_NEEDED, "message": why, "finished_at": now}
            ledger.set_row(step, ledger.row(num), SheetStatus.SKIPPED, **fields)
            ledger.event(step, "sheet.skipped", num, {"reason": why}, now=now)
            endings.skip_dependents(ledger, step, num, now)
        elif self.starts(num):
            self._freed.add(num)
            step.after.append(Unblock(num))

    def _has_cause(self, num: int) -> bool:
        """Whether there is anything to do after a cancel: it, or what it waits for, had begun."""
        return any(self._ledger.peek(n).attempt > 0 for n in (num, *self._sheet(num).needs))

    def _bad(self, num: int) -> Iterator[bool]:
        """Of each need whether it failed, or never ran because another one failed."""
        return (_is_bad(self._ledger.peek(need)) for need in self._sheet(num).needs)

    def _not_over(self, num: int) -> list[int]:
        """The needs of a sheet that have not ended."""
        rows = self._ledger.rows
        needs = self._sheet(num).needs
        return [n for n in needs if n not in rows or not rows[n].status.terminal]

    def _sheet(self, num: int) -> SheetPlan:
        """As it is now: a list that is made in the run gives its dependents more needs."""
        return self._ledger.plan.sheets[num - 1]

    def _explain(self, num: int) -> Explanation:
        needs, when = self._not_over(num), self._sheet(num).when
        named = ", ".join(map(str, needs[:_NAMED]))
        more = f" and {len(needs) - _NAMED} more" if len(needs) > _NAMED else ""
        what = "sheet" if len(needs) == 1 else "sheets"
        text = f"it waits for the end of {what} {named}{more} (when: {when})"
        return Explanation("needs", text, {"needs": needs, "when": when})


def _is_bad(row: SheetRow) -> bool:
    return row.status in (SheetStatus.FAILED, SheetStatus.CANCELLED) or (
        row.status is SheetStatus.SKIPPED and row.category == "dependency"
    )
