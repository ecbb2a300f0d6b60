"""Making the jobs that are owed: of each schedule one after another, the oldest slot first.

The job and the note that its slot has one are one transaction of the submission, which is refused
where the slot is not owed any more: so no slot has two jobs. What a restart finds: owed, no job on
disk: the slot is owed and its job is made; the job on disk: the slot is not owed.

Whatever is our own trouble (a part that is restarted, pressure, a disk that fails) leaves the slot
owed, and it is tried again, later and later. A score that cannot be used gives the slot up, with a
word.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors import Backoff, Future, Outcome
from ipc import codec
from marianne.crashpoints import crash_point
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.schedules.book import Entry
from marianne.daemon.schedules.desk import Desk
from marianne.daemon.shared.fired import Fired
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.start_delays import passing
from marianne.daemon.views.wire import timestamp
from marianne.state.changes import AddEvent, Change, TakeSlots, UpdateSchedule
from marianne.state.errors import NoSuchSchedule, SlotGone
from marianne.state.models import ScheduleRow

if TYPE_CHECKING:
    from marianne.replies.changes import Submitted

log = get_logger(__name__)

BACKOFF = Backoff(min=0.2, max=30.0)

SUBMIT_SECONDS = 300.0
"""How long a submission is waited for; one that comes about after all has noted its slot."""

LONGEST_ERROR = 2_000
"""Characters of an error that are kept."""


class Serving:
    """``settled`` is called with a schedule of which something was committed."""

    def __init__(self, desk: Desk, settled: Callable[[Entry], None]) -> None:
        self._desk = desk
        self._settled = settled

    def serve(self, entry: Entry) -> None:
        """Does what is next for the oldest owed slot, unless that is under way."""
        row = entry.row
        if not row.owed or row.paused or self._desk.stopping:
            return
        slot, replaces = row.owed[0]
        if entry.step is not None and not (entry.step == "waits" and replaces):
            return
        try:
            last = self._desk.book.running(row)
            if last is not None:
                self._make_room(entry, last.job_id, replaces)
            else:
                self._fire(entry, slot)
        except Exception as error:  # noqa: BLE001 - one schedule is not worth the end of an actor
            self._not_fired(entry, slot, error)

    def submit(self, row: ScheduleRow, slot: float | None, request_id: str | None) -> Any:
        """A future of the submission of the schedule's job. Raises what keeps it from being asked
        for."""
        from marianne.daemon.types import JobRequest

        environment = codec.unpack(self._desk.reader.scheduled.environment(row.name))
        request = JobRequest.model_validate({**row.request, "environment": environment})
        manager = self._desk.context.manager.within(SUBMIT_SECONDS)
        return manager.call(ManagerActor.submit_job, request, request_id, Fired(row.name, slot))

    # -- the last job ---------------------------------------------------------------------------

    def _make_room(self, entry: Entry, last: str, replaces: bool) -> None:
        manager = self._desk.context.manager.within(None)
        if replaces:
            turn = entry.begin("replaces", f"its job {last} is being cancelled")
            over: Future[Any] = manager.call(ManagerActor.cancel_job, last)
        else:
            turn = entry.begin("waits", f"its job {last} is not over")
            over = manager.call(ManagerActor.wait_job, last)
        self._desk.turns.pipe(over, self.made_room, entry, turn)

    def made_room(self, outcome: Outcome[Any], entry: Entry, turn: int) -> None:
        """The last job is over; or who was asked cannot say, or somebody has let it go on: then he
        is asked again, not at once."""
        if not self._current(entry, turn):
            return
        if outcome.error is not None:
            self._later(entry, _words(outcome.error))
        elif (last := self._desk.book.running(entry.row)) is not None:
            self._later(entry, f"its job {last.job_id} is not over")
        else:
            entry.begin(None)
            self.serve(entry)

    # -- the job --------------------------------------------------------------------------------

    def _fire(self, entry: Entry, slot: float) -> None:
        turn = entry.begin("fires", entry.waits)
        crash_point("schedule.before-fire")
        submitted = self.submit(entry.row, slot, None)
        self._desk.turns.pipe(submitted, self.fired, entry, turn, slot)

    def fired(self, outcome: Outcome[Submitted], entry: Entry, turn: int, slot: float) -> None:
        """The job is on disk, and so is that its slot has one; or there is none."""
        crash_point("schedule.after-fire")
        if not self._current(entry, turn):
            return
        error = outcome.error
        if error is None or isinstance(error, (SlotGone, NoSuchSchedule)):
            if outcome.value is not None:
                job_id = outcome.value["job_id"]
                log.info("slot_fired", schedule=entry.row.name, slot=timestamp(slot), job_id=job_id)
            self._go_on(entry)
        else:
            self._not_fired(entry, slot, error)

    def _not_fired(self, entry: Entry, slot: float, error: BaseException) -> None:
        if passing(error):
            self._later(entry, _words(error))
            return
        name, words, now = entry.row.name, _words(error)[:LONGEST_ERROR], time.time()
        log.error("slot_failed", schedule=name, slot=timestamp(slot), error=words)
        told = {"schedule": name, "slot": timestamp(slot), "error": words}
        changes: list[Change] = [
            TakeSlots(name, drop=(slot,)),
            UpdateSchedule(name, {"last_error": words, "last_error_at": now}),
            AddEvent(None, None, "schedule.failed", told, now),
        ]
        turn = entry.begin("pauses", words)
        self._desk.turns.pipe(self._desk.write(changes), self.given_up, entry, turn)

    def given_up(self, outcome: Outcome[Any], entry: Entry, turn: int) -> None:
        """That the slot has no job is on disk; or the store died over it, and it is tried again."""
        if not self._current(entry, turn):
            return
        if outcome.error is not None and not isinstance(outcome.error, NoSuchSchedule):
            self._later(entry, _words(outcome.error))
        else:
            self._go_on(entry)

    # -- later ----------------------------------------------------------------------------------

    def _later(self, entry: Entry, why: str) -> None:
        seconds = BACKOFF.delay(entry.tries, entry.row.name)
        entry.tries += 1
        log.warning("slot_waits", schedule=entry.row.name, why=why, tries=entry.tries)
        turn = entry.begin("pauses", why)
        if not self._desk.stopping:
            self._desk.turns.after(seconds, self.again, entry, turn)

    def again(self, entry: Entry, turn: int) -> None:
        """The pause is over."""
        if self._current(entry, turn):
            entry.begin(None, entry.waits)
            self.serve(entry)

    def _go_on(self, entry: Entry) -> None:
        entry.begin(None)
        entry.tries = 0
        read = self._desk.book.read(entry.row.name)
        if read is not None:
            self._settled(read)

    def _current(self, entry: Entry, turn: int) -> bool:
        return entry.turn == turn and self._desk.book.known(entry)


def _words(error: BaseException) -> str:
    return str(getattr(error, "message", None) or error or repr(error))
