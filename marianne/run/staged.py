"""Attempts on a machine that has no workspace in common with the conductor's.

Each works in a directory of its own, where what the sheet declares as its inputs is brought before
anything of it runs. Whether its outputs are up to date is looked at where the workspace is. What it
made is fetched from there after its result has been told, and may go when that is acknowledged.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from marianne.model.plan import SheetPlan
from marianne.run.attempt import Attempt
from marianne.run.attempt_state import State
from marianne.run.listing import ListAttempt
from marianne.run.outputs import work_dir
from marianne.run.tools import Reading
from marianne.run.workshop import UP_TO_DATE

ASK_AGAIN_SECONDS = 5.0
"""Who carries files may have died meanwhile, and the next one does not know of it."""


class StagedAttempt(Attempt):
    """It waits for its files after it has begun; ``brought`` says that they are there."""

    _stands_still = False
    _answer: dict[str, Any] | None = None

    def hold(self, on: bool) -> None:
        """One that stands still does not begin when its files come."""
        self._stands_still = on
        answer, self._answer = self._answer, None
        if answer is not None:
            self.brought(answer)
        super().hold(on)

    def _first(self, sheet: SheetPlan) -> None:
        self._on_begin(self.num, self.attempt, self._started_at)
        self.state = State.STAGING
        self._shop = self._shop.at(work_dir(self._shop.job_dir, self.num, self.attempt))
        self._ask(sheet)

    def _ask(self, sheet: SheetPlan) -> None:
        if self.state is State.STAGING:
            asked: dict[str, Any] = {"num": self.num, "attempt": self.attempt}
            asked |= {"skipped": self.grant.skipped, "anew": self._shop.anew}
            if sheet.cross_sheet is not None:
                asked["earlier"] = self.grant.outputs
            self._shop.tell({"kind": "stage", **asked})
            self._shop.loop.call_later(ASK_AGAIN_SECONDS, partial(self._ask, sheet))

    def brought(self, answer: dict[str, Any]) -> None:
        """The files are there; or the sheet is ``fresh``, or ``why`` it cannot begin, which
        ``passes`` or does not."""
        if self.state is not State.STAGING:
            return
        if self._stands_still:
            self._answer = answer
            return
        why = answer.get("why")
        if answer.get("fresh"):
            self._give("skipped", message=UP_TO_DATE)
        elif why is None:
            self._guarded(lambda: self._skip_or_run(self._shop.plan.sheet(self.num)))
        elif answer.get("passes"):
            self._give("interrupted", Reading(False, category="machine", message=why))
        else:
            self._fail("workspace", why)

    def _run_unless_fresh(self, sheet: SheetPlan) -> None:
        self._run(sheet)


class StagedListAttempt(StagedAttempt, ListAttempt):
    """The same of a sheet that makes a list."""
