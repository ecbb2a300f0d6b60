"""Deciding slots that have come due: each is owed a job, skipped or missed, on disk before a job is
made.

What a restart finds: decided, not on disk: due still, and decided anew; on disk: owed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from actors import Outcome
from marianne.crashpoints import crash_point
from marianne.daemon.schedules.book import Entry
from marianne.daemon.schedules.desk import Desk
from marianne.daemon.shared.log import get_logger
from marianne.daemon.views.wire import timestamp
from marianne.state.changes import AddEvent, Change, TakeSlots
from marianne.state.errors import DatabaseCorrupt, NoSuchSchedule

log = get_logger(__name__)

LOOK_AGAIN = 2.0
"""Seconds until a schedule is looked at again whose slots could not be decided."""


class Taking:
    """``taken`` is called with a schedule whose slots are decided, on disk."""

    def __init__(self, desk: Desk, taken: Callable[[Entry], None]) -> None:
        self._desk = desk
        self._taken = taken

    def take(self, entry: Entry, now: float) -> None:
        """Decides what of the schedule has come due by ``now``, by the wall clock."""
        self._desk.book.set_right(entry, now)
        if entry.row.paused or entry.taking or entry.next_slot is None or entry.next_slot > now:
            return
        try:
            changes = self._decide(entry, entry.next_slot, now)
        except DatabaseCorrupt:
            raise
        except Exception as error:  # noqa: BLE001 - one schedule is not worth the end of an actor
            self._look_again(entry, error)
            return
        crash_point("schedule.before-take")
        entry.taking = True
        # Kept: a slot that was seen is not lost to a disk that is full.
        self._desk.turns.pipe(self._desk.write(changes), self.was_taken, entry)

    def _decide(self, entry: Entry, first: float, now: float) -> list[Change]:
        from marianne.schedule.cron import newest
        from marianne.schedule.due import MOST, Owed, decide

        row = entry.row
        due, more = newest(row.cron, row.zone, entry.decided_until, now, MOST)
        busy = self._desk.book.busy(entry)
        owed = [Owed(*one) for one in row.owed]
        rules: Any = (row.overlap, row.catch_up)  # checked when they came in
        decision = decide(due or [first], more, now, rules, owed, busy)
        return [
            TakeSlots(row.name, decision.until, decision.add, decision.drop),
            *_events(row.name, decision, now),
        ]

    def was_taken(self, outcome: Outcome[Any], entry: Entry) -> None:
        """They are decided; or the store has died over it, or the schedule is gone."""
        crash_point("schedule.after-take")
        if outcome.error is not None and not isinstance(outcome.error, NoSuchSchedule):
            self._look_again(entry, outcome.error)
            return
        self.looked_again(entry)

    def _look_again(self, entry: Entry, error: BaseException) -> None:
        entry.taking = True  # it is not looked at meanwhile
        log.error("slots_not_taken", schedule=entry.row.name, error=repr(error), exc_info=error)
        self._desk.turns.after(LOOK_AGAIN, self.looked_again, entry)

    def looked_again(self, entry: Entry) -> None:
        """By what is on disk it goes on."""
        entry.taking = False
        read = self._desk.book.read(entry.row.name)
        if read is not None:
            self._taken(read)


def _events(name: str, decision: Any, now: float) -> list[Change]:
    told: list[Change] = []
    if decision.missed or decision.more:
        missed = decision.missed
        log.warning("slots_missed", schedule=name, slots=len(missed), more=decision.more)
        data = {
            "schedule": name,
            "slots": len(missed),
            "more": decision.more,
            "first": timestamp(missed[0] if missed else None),
            "last": timestamp(missed[-1] if missed else None),
        }
        told.append(AddEvent(None, None, "schedule.missed", data, time.time()))
    for slot in decision.skipped:
        log.info("slot_skipped", schedule=name, slot=timestamp(slot), why=decision.why)
        data = {"schedule": name, "slot": timestamp(slot), "why": decision.why}
        told.append(AddEvent(None, None, "schedule.skipped", data, now))
    return told
