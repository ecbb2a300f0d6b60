"""The schedules, as an actor: which jobs are made by the clock, and when.

It owns the schedules; each is a row. What it does is done by its parts, one a file of this room. A
slot goes two ways to the disk: first it is decided (:mod:`.taking`), then its job is made
(:mod:`.serving`); what a restart finds is said there. One timer is set for the next slot of all,
and looked at each minute at least, because the wall clock may be set; without schedules there is
none.

The wall clock: set back, it fires no slot again, for the next slot is always after those that are
decided; set forward, what it passed over is missed, and made up for as the schedule says. One that
is set back by more than a day was wrong before: then slots from now on are open again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors import Actor, ExitReason, Outcome, Promise, Timer
from marianne.daemon.context import Context
from marianne.daemon.schedules.book import Entry
from marianne.daemon.schedules.commands import Commands
from marianne.daemon.schedules.desk import Desk
from marianne.daemon.schedules.serving import Serving
from marianne.daemon.schedules.shown import schedule_map
from marianne.daemon.schedules.taking import Taking
from marianne.daemon.services.store import FORGET_DEADLINE, Store
from marianne.daemon.shared.turns import Turns
from marianne.daemon.shared.unforeseen import question
from marianne.state.models import ScheduleRow

if TYPE_CHECKING:
    from marianne.replies.changes import Submitted
    from marianne.replies.schedules import ScheduleChanged, Schedules

LONGEST_SLEEP = 60.0
"""Seconds until the clock is looked at again."""

SHORTEST_SLEEP = 0.005
"""The clock is not asked more often for a slot that is just coming."""


class SchedulesActor(Actor):
    """All schedules of a conductor. A method that returns a Promise answers when its change is on
    disk; ``request_id`` lets a resent request find its answer. Refusals are raised as
    :class:`~marianne.daemon.shared.refusal.Refused`.
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._alarm: Timer | None = None

    def on_start(self) -> None:
        """Finds every schedule, and what is owed."""
        self._context.store.within(FORGET_DEADLINE).ask(Store.forget, self.name)
        turns = Turns(self, self.heard, self.woken)
        self._desk = desk = Desk(self._context, turns, self.name)
        self._serving = Serving(desk, self._settled)
        self._taking = Taking(desk, self._settled)
        self._commands = Commands(desk, self._serving, self._settled)
        if len(desk.book):
            # Who makes the jobs may be just starting, too.
            turns.soon(self.look)

    def on_stop(self, reason: ExitReason) -> None:
        """Closes the reader."""
        self._desk.close()

    # -- turns of the parts ---------------------------------------------------------------------

    def heard(self, outcome: Outcome[Any], method: Callable[..., None], *args: Any) -> None:
        """What a part waited for is there."""
        method(outcome, *args)

    def woken(self, method: Callable[..., None], *args: Any) -> None:
        """A part's time has come."""
        method(*args)

    # -- the clock ------------------------------------------------------------------------------

    def look(self) -> None:
        """Takes what has come due, makes what is owed, and sets the next alarm."""
        if self._desk.stopping:
            return
        now = time.time()
        self._desk.book.look_again()
        for entry in self._desk.book:
            self._taking.take(entry, now)
            self._serving.serve(entry)
        self._set_alarm()

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = None
        book = self._desk.book
        coming = book.next_slot()
        if coming is not None or book.troubled:
            wait = LONGEST_SLEEP if coming is None else coming - time.time()
            seconds = min(max(wait, SHORTEST_SLEEP), LONGEST_SLEEP)
            self._alarm = self.send_after(seconds, self.look)

    def _settled(self, entry: Entry | None) -> None:
        if entry is not None:
            self._serving.serve(entry)
        self._set_alarm()

    # -- commands -------------------------------------------------------------------------------

    def add(
        self, row: ScheduleRow, environment: bytes, request_id: str | None = None
    ) -> Promise[ScheduleChanged]:
        """Takes a schedule in, from its next slot on. ``environment`` is packed.

        Refuses with ``invalid_params`` what cannot be read, with ``conflict`` a name that is taken.
        """
        return self._desk.once(request_id, self._commands.add, row, environment)

    def remove(self, name: str, request_id: str | None = None) -> Promise[ScheduleChanged]:
        """Forgets a schedule. Its jobs stay. Refuses with ``not_found``."""
        return self._desk.once(request_id, self._commands.remove, name)

    def pause(self, name: str, request_id: str | None = None) -> Promise[ScheduleChanged]:
        """Lets its slots pass. Refuses with ``conflict`` when it is paused."""
        return self._desk.once(request_id, self._commands.pause, name)

    def resume(self, name: str, request_id: str | None = None) -> Promise[ScheduleChanged]:
        """Lets it go on with its next slot. Refuses with ``conflict`` when it is not paused."""
        return self._desk.once(request_id, self._commands.resume, name)

    def run_now(self, name: str, request_id: str | None = None) -> Promise[Submitted]:
        """Makes a job of it now. Refuses with ``conflict`` while its last one is not over, and as
        ``job.submit`` does."""
        return self._desk.once(request_id, self._commands.run_now, name)

    @question
    def schedules(self) -> Schedules:
        """All of them, by name."""
        book, reader = self._desk.book, self._desk.reader
        shown = [schedule_map(entry, reader) for entry in book]
        return {"schedules": sorted(shown, key=lambda one: one["name"])}
