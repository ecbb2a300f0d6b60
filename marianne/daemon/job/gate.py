"""When a sheet that was granted a slot may begin: the job's pace, the breakers of its instruments,
and a growing wait for what the machine could not begin. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.effects import Step, WakeAt
from marianne.model.plan import Plan
from marianne.model.result import AttemptResult
from marianne.schedule.breaker import Breakers, works
from marianne.schedule.explain import Explanation
from marianne.schedule.pace import Pace
from marianne.state.models import SheetRow, SheetStatus

BEGIN_AGAIN = (2.0, 60.0)
"""Seconds until a sheet that could not begin is tried again: doubled each time, up to a bound."""


class Gate:
    """What a job itself puts between a grant and the start of a sheet."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._breakers = Breakers.read(ledger.job.options.get("breakers"))
        self._pace = _pace(ledger.plan, ledger.rows.values())
        self._not_begun: dict[int, int] = {}  # tries in a row, by sheet; a restart begins anew

    def keep_back(self, row: SheetRow, now: float) -> float | None:
        """Returns when a sheet that was granted may ask again; None if it begins now, which is
        taken for its start; infinity if it is woken when the one that tries has ended."""
        ledger = self._ledger
        instrument = ledger.instrument(row)
        if not instrument.raw_prompt:
            when = self._breakers.wait(row.num, instrument.profile, now)
            if when is not None:
                return when
        when = self._pace.start(row.num, now, ledger.counts[SheetStatus.RUNNING])
        if when is None:
            self._breakers.started(row.num, instrument.profile)
        return when

    def keeps(self, num: int) -> bool:
        """Whether the sheet was kept back and has not begun since."""
        return self._pace.promised(num) is not None or num in self._breakers.held

    def kept_back(self) -> dict[int, Explanation]:
        """Why sheets that might have a slot do not: their job keeps them back itself."""
        found = {}
        for num, name in self._breakers.held.items():
            until = self._breakers.known[name].until
            text = f"{name} failed {self._breakers.known[name].failures} times in a row in this job"
            found[num] = Explanation("breaker", text, {"instrument": name, "until": until})
        for sheet in self._ledger.plan.sheets:
            due = self._pace.promised(sheet.num)
            if due is not None:
                text = "its job's pace (stagger, pause between sheets) keeps it back"
                found[sheet.num] = Explanation("pacing", text, {"until": due})
        return found

    def begin_again_after(self, num: int) -> float:
        """Returns the seconds until a sheet that the machine could not begin is tried again."""
        tries = self._not_begun.get(num, 0)
        self._not_begun[num] = tries + 1
        first, longest = BEGIN_AGAIN
        return min(first * 2.0 ** min(tries, 16), longest)

    def has_begun(self, num: int) -> None:
        """The machine could begin the sheet: its next wait for that is a short one again."""
        self._not_begun.pop(num, None)

    def sheet_ended(self, now: float) -> None:
        """A sheet that ran ended at that time: the pause between sheets begins."""
        self._pace.ended(now)

    def note(self, step: Step, row: SheetRow, result: AttemptResult, now: float) -> None:
        """What an attempt says of its instrument; wakes the sheets that its breaker kept back."""
        instrument = self._ledger.instrument(row)
        if instrument.raw_prompt:
            return
        name, breakers = instrument.profile, self._breakers
        before = breakers.stored()
        woken = breakers.ended(row.num, name, works(result), now)
        step.now += (WakeAt(num, when) for num, when in woken.items())
        after = breakers.stored()
        if after == before:
            return
        self._ledger.keep_option(step, "breakers", after)
        opened = breakers.known[name]
        if opened.until is not None and opened.until != before.get(name, [0, 0, 0])[2]:
            seconds = round(opened.until - now, 1)
            data = {"instrument": name, "failures": opened.failures, "seconds": seconds}
            self._ledger.event(step, "job.breaker", row.num, data, now=now)

    def moved(self, step: Step, by: float) -> None:
        """The wall clock was set by so many seconds: what waits here moves along."""
        self._pace.moved(by)
        if self._breakers.moved(by):
            self._ledger.keep_option(step, "breakers", self._breakers.stored())


def _pace(plan: Plan, rows: Iterable[SheetRow]) -> Pace:
    """The job's pace, from what is known of its last start and end."""
    played = [row for row in rows if row.attempt]
    ended = (row.finished_at or 0.0 for row in played if row.status is not SheetStatus.SKIPPED)
    return Pace(
        plan.stagger_seconds,
        plan.pause_between_sheets_seconds,
        max((row.started_at or 0.0 for row in played), default=0.0),
        max(ended, default=0.0),
    )
