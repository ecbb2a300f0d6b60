"""A schedules' actor in pieces: its parts over a real database, a clock that the test sets, and
stand-ins for everybody else (:mod:`manager_standins`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from manager_parts import Stage, stage_in

from actors import Future
from ipc import codec
from marianne.daemon.schedules import commands as commands_module
from marianne.daemon.schedules.book import Entry
from marianne.daemon.schedules.commands import Commands
from marianne.daemon.schedules.desk import Desk
from marianne.daemon.schedules.serving import Serving
from marianne.daemon.schedules.shown import schedule_map
from marianne.daemon.schedules.taking import Taking
from marianne.daemon.shared.fired import Fired
from marianne.daemon.shared.idempotency import RequestId
from marianne.state.changes import FireSlot, InsertSchedule, UpdateJob
from marianne.state.errors import SlotGone
from marianne.state.models import JobStatus, ScheduleRow

HOUR = 3_600.0
NOON = 1_790_000_000.0 // 86_400 * 86_400 + 12 * HOUR
"""Twelve o'clock, in UTC, of some day."""


def a_row(name: str = "nightly", **fields: Any) -> ScheduleRow:
    """Each full hour, from noon on."""
    request = {
        "config_path": "/w/s.yaml",
        "client_cwd": "/w",
        "workspace": None,
        "variables": {},
        "priority": 5,
        "fresh": False,
    }
    made = {"overlap": "skip", "catch_up": "none", "request": request, **fields}
    return ScheduleRow(name, "0 * * * *", "UTC", created_at=NOON, decided_until=NOON, **made)


class Schedules:
    """The parts at work; ``begin`` makes them anew, as a restart of the actor does."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.now = NOON
        self._start()

    def begin(self) -> None:
        """By what is on disk; what was under way reaches nobody."""
        self.stage.turns.run()
        self.stage.turns.timers.clear()
        self.desk.book._entries.clear()
        self.desk.close()
        self._start()

    def _start(self) -> None:
        stage = self.stage
        self.desk = Desk(stage.context, cast("Any", stage.turns), "schedules")
        self.serving = Serving(self.desk, self._settled)
        self.taking = Taking(self.desk, self._settled)
        self.commands = Commands(self.desk, self.serving, self._settled)

    def _settled(self, entry: Entry | None) -> None:
        if entry is not None:
            self.serving.serve(entry)

    def close(self) -> None:
        self.desk.close()

    def insert(self, **fields: Any) -> None:
        self.stage.write(InsertSchedule(a_row(**fields), codec.pack({"TOKEN": "x"})))
        self.desk.book.read(fields.get("name", "nightly"))

    def look(self, now: float | None = None) -> None:
        """The clock says so much, and is looked at."""
        self.now = self.now if now is None else now
        for entry in self.desk.book:
            self.taking.take(entry, self.now)
            self.serving.serve(entry)
        self.stage.turns.run()

    def ask(self, act: Any, *args: Any, request_id: str | None = None) -> Future[Any]:
        """As a client does; what is due is done."""
        known = None if request_id is None else RequestId(request_id, b"asked")
        promise = cast("Any", self.desk.once(known, act, *args))
        self.stage.turns.run()
        future: Future[Any] = promise.future
        return future

    @property
    def row(self) -> ScheduleRow:
        return cast("ScheduleRow", self.desk.reader.scheduled.one("nightly"))

    @property
    def owed(self) -> list[float]:
        """How many hours after noon."""
        return [(slot - NOON) / HOUR for slot, _replaces in self.row.owed]

    @property
    def shown(self) -> Any:
        return schedule_map(self.desk.book.find("nightly"), self.desk.reader)

    # -- the manager ----------------------------------------------------------------------------

    def wanted(self) -> list[float | None]:
        """The slots for which jobs were asked of the manager, in hours after noon."""
        asked = [one[-1] for one in self.stage.others.asked if one[1] == "submit_job"]
        return [None if one.slot is None else (one.slot - NOON) / HOUR for one in asked]

    def makes(self, job_id: str, status: JobStatus = JobStatus.RUNNING) -> None:
        """The manager makes the job that it was asked for, or refuses as the store does."""
        self.answer(lambda fired: self._insert(job_id, status, fired))

    def refuses(self, error: BaseException) -> None:
        """It does not."""
        self.answer(lambda _fired: error)

    def answer(self, answer: Callable[[Fired], Any]) -> None:
        """Answers the oldest submission that is under way."""
        asked = [one for one in self.stage.others.asked if one[1] == "submit_job"]
        still_open = sum(one[0] == "submit_job" for one in self.stage.others._open)
        self.stage.answer("submit_job", answer(asked[-still_open][-1]))

    def _insert(self, job_id: str, status: JobStatus, fired: Fired) -> Any:
        try:
            self.stage.write(FireSlot(fired.schedule, fired.slot, job_id))
        except SlotGone as gone:
            return gone
        self.stage.insert(job_id, status)
        return {"job_id": job_id, "status": "accepted", "message": "", "warnings": []}

    def ends(self, job_id: str) -> None:
        """The job is over, on disk."""
        self.stage.write(UpdateJob(job_id, {"status": JobStatus.COMPLETED}))


@contextmanager
def schedules_in(place: Path, monkeypatch: Any) -> Iterator[Schedules]:
    """With one schedule of each full hour, to be inserted by the test."""
    with stage_in(place) as stage:
        schedules = Schedules(stage)
        clock = type("Clock", (), {"time": staticmethod(lambda: schedules.now)})
        monkeypatch.setattr(commands_module, "time", clock)
        yield schedules
        schedules.close()
