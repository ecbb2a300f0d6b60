"""The schedules as their actor knows them: each one's row, its next slot, and what is under way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.refusal import Refused
from marianne.records import dataclass
from marianne.state.models import JobRow, ScheduleRow
from marianne.state.reader import Reader

log = get_logger(__name__)

MOST = 1_000
"""Schedules of a conductor at most."""

WRONG_CLOCK = 86_400.0
"""Seconds. No slot is decided before its time: what is decided for longer ahead than this was so by
a clock that was wrong. For less a clock may have been set back."""

Step = Literal["waits", "replaces", "fires", "pauses", "asked"]


@dataclass(slots=True)
class Entry:
    """A schedule. ``row`` is as on disk; ``next_slot`` is the first one that is not decided, None
    while none comes.

    ``taking``: a decision about slots is on its way to the disk. ``step`` is what is being done for
    the oldest owed slot: its last job is waited for or ended, its job is made, or a pause goes by
    before the next try; or, without an owed slot, its job is made because a person asked for it.
    ``turn`` numbers the steps, so that what comes of an earlier one is known.
    ``waits`` says in words why an owed slot has no job yet, ``trouble`` why no slot comes.
    ``open_from``: slots from then on are open again, which were decided by a clock that was wrong.
    """

    row: ScheduleRow
    next_slot: float | None = None
    taking: bool = False
    step: Step | None = None
    turn: int = 0
    tries: int = 0
    waits: str | None = None
    trouble: str | None = None
    open_from: float | None = None

    @property
    def decided_until(self) -> float:
        """Every slot up to then is decided."""
        return self.row.decided_until if self.open_from is None else self.open_from

    def begin(self, step: Step | None, waits: str | None = None) -> int:
        """Another step begins; its number."""
        self.step, self.waits = step, waits
        self.turn += 1
        return self.turn


class Book:
    """For the thread of the schedules' actor; what it holds is on disk."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._entries: dict[str, Entry] = {}
        for row in reader.scheduled.all():
            self._entries[row.name] = entry = Entry(row)
            _look_ahead(entry)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def find(self, name: str) -> Entry:
        """The schedule of this name. Refuses with ``not_found``."""
        entry = self._entries.get(name)
        if entry is None:
            raise Refused(
                "not_found", f"no schedule {name!r}", hint="`marianne schedule list` shows them all"
            )
        return entry

    def known(self, entry: Entry) -> bool:
        """Whether it is none that was removed meanwhile."""
        return self._entries.get(entry.row.name) is entry

    def read(self, name: str) -> Entry | None:
        """Takes up what was committed of a schedule; None when there is none of that name."""
        row = self._reader.scheduled.one(name)
        if row is None:
            self._entries.pop(name, None)
            return None
        entry = self._entries.get(name)
        if entry is None or entry.row.created_at != row.created_at:
            entry = self._entries[name] = Entry(row)
        if entry.row.decided_until != row.decided_until:
            entry.open_from = None
        entry.row = row
        _look_ahead(entry)
        return entry

    def set_right(self, entry: Entry, now: float) -> None:
        """Opens the schedule's slots from ``now`` on where a clock that was wrong has decided them:
        it would be silent until that clock's time comes, for years maybe."""
        if entry.decided_until > now + WRONG_CLOCK:
            log.warning("schedule_open_again", schedule=entry.row.name, until=entry.decided_until)
            entry.open_from = now
            _look_ahead(entry)

    def running(self, row: ScheduleRow) -> JobRow | None:
        """The schedule's last job if it is not over."""
        job = self._reader.job(row.last_job) if row.last_job else None
        return job if job is not None and not job.status.terminal else None

    def busy(self, entry: Entry) -> bool:
        """Whether the schedule's last job is not over, or just being made for a person."""
        return entry.step == "asked" or self.running(entry.row) is not None

    @property
    def troubled(self) -> bool:
        """Whether there is a schedule whose slots cannot be read just now."""
        return any(entry.trouble is not None for entry in self._entries.values())

    def look_again(self) -> None:
        """Those may be readable by now."""
        for entry in self._entries.values():
            if entry.trouble is not None:
                _look_ahead(entry)

    def next_slot(self) -> float | None:
        """When the next slot of all comes; None when none does."""
        coming = [
            entry.next_slot
            for entry in self._entries.values()
            if entry.next_slot is not None and not entry.taking and not entry.row.paused
        ]
        return min(coming, default=None)


def _look_ahead(entry: Entry) -> None:
    from marianne.schedule.cron import CronProblem, next_after

    row = entry.row
    try:
        entry.next_slot, entry.trouble = next_after(row.cron, row.zone, entry.decided_until), None
    except CronProblem as problem:  # it was right once: this machine's zones are others
        if entry.trouble is None:
            log.error("schedule_unreadable", schedule=row.name, error=str(problem))
        entry.next_slot, entry.trouble = None, str(problem)
