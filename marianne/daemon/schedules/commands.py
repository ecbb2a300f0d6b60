"""What people do to schedules: add, remove, pause, resume, run now.

Each change and the answer to its request are one transaction; the answer is given when it is on
disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors import Outcome
from marianne.daemon.schedules.book import MOST, Entry
from marianne.daemon.schedules.desk import Desk
from marianne.daemon.schedules.serving import Serving
from marianne.daemon.shared import next_steps
from marianne.daemon.shared.idempotency import Answer
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.views.wire import timestamp
from marianne.state import ids
from marianne.state.changes import (
    AddEvent,
    Change,
    DeleteSchedule,
    InsertSchedule,
    UpdateSchedule,
)
from marianne.state.errors import NoSuchSchedule, ScheduleExists
from marianne.state.models import ScheduleRow

if TYPE_CHECKING:
    from marianne.replies.changes import Submitted
    from marianne.replies.schedules import ScheduleChanged


class Commands:
    """``settled`` is called with a schedule of which something was committed."""

    def __init__(
        self, desk: Desk, serving: Serving, settled: Callable[[Entry | None], None]
    ) -> None:
        self._desk = desk
        self._serving = serving
        self._settled = settled

    def add(self, answer: Answer[ScheduleChanged], row: ScheduleRow, environment: bytes) -> None:
        """A new schedule, which begins with the first slot from now on."""
        from marianne.schedule.cron import CronProblem, check, next_after

        _check_name(row.name)
        try:
            check(row.cron, row.zone)
        except CronProblem as problem:
            raise Refused("invalid_params", str(problem)) from None
        if row.name in self._desk.book:
            raise _taken(row.name)
        if len(self._desk.book) >= MOST:
            raise Refused("conflict", f"there are {MOST:,} schedules, and more are not kept")
        row.created_at = row.decided_until = now = time.time()
        next_slot = next_after(row.cron, row.zone, now)
        change = InsertSchedule(row, environment)
        self._write(answer, row.name, "added", change, _changed(row.name, False, next_slot))

    def remove(self, answer: Answer[ScheduleChanged], name: str) -> None:
        """No schedule any more; its jobs stay, and one that runs goes on."""
        entry = self._desk.book.find(name)
        reply = _changed(name, entry.row.paused, None)
        self._write(answer, name, "removed", DeleteSchedule(name), reply)

    def pause(self, answer: Answer[ScheduleChanged], name: str) -> None:
        """Its slots pass, those that are owed too; a job that runs goes on."""
        if self._desk.book.find(name).row.paused:
            raise Refused("conflict", f"the schedule {name!r} is paused already")
        change = UpdateSchedule(name, {"paused": True, "owed": []})
        self._write(answer, name, "paused", change, _changed(name, True, None))

    def resume(self, answer: Answer[ScheduleChanged], name: str) -> None:
        """It goes on with the first slot from now on, by the clock as it is set now."""
        from marianne.schedule.cron import next_after

        row = self._desk.book.find(name).row
        if not row.paused:
            raise Refused("conflict", f"the schedule {name!r} is not paused")
        now = time.time()
        change = UpdateSchedule(name, {"paused": False, "owed": [], "decided_until": now})
        reply = _changed(name, False, next_after(row.cron, row.zone, now))
        self._write(answer, name, "resumed", change, reply)

    def run_now(self, answer: Answer[Submitted], name: str) -> None:
        """Makes its job now, whatever the clock says; paused or not."""
        entry = self._desk.book.find(name)
        last = self._desk.book.running(entry.row)
        if last is not None:
            raise Refused(
                "conflict",
                f"the last job of the schedule {name!r} is not over: {last.job_id}",
                hint=f"{next_steps.until_over(last.job_id, last.status)} first",
                data={"job_id": last.job_id},
            )
        if entry.row.owed or entry.step is not None:
            raise Refused("conflict", f"a job of the schedule {name!r} is just being made")
        # Its answer is kept by the submission, under the same id.
        submitted = self._serving.submit(entry.row, None, answer.request_id)
        turn = entry.begin("asked", "a job that a person asked for is just being made")
        self._desk.turns.pipe(submitted, self.ran, answer, entry, turn)

    def ran(
        self, outcome: Outcome[Submitted], answer: Answer[Submitted], entry: Entry, turn: int
    ) -> None:
        """The job is on disk, or was refused."""
        if entry.turn == turn:
            entry.begin(None)
        if isinstance(outcome.error, NoSuchSchedule):
            answer.fail(Refused("not_found", f"{outcome.error}: it has just been removed"))
        elif outcome.error is not None or outcome.value is None:
            answer.fail(outcome.error or LookupError("no job"))
        else:
            answer.set(outcome.value)
        self._settled(self._desk.book.read(entry.row.name))

    def _write(
        self,
        answer: Answer[ScheduleChanged],
        name: str,
        what: str,
        change: Change,
        reply: ScheduleChanged,
    ) -> None:
        told = AddEvent(None, None, f"schedule.{what}", {"schedule": name}, time.time())
        changes = [change, told, *answer.remember(reply)]
        written = self._desk.write(changes, kept=False)
        self._desk.turns.pipe(written, self.written, answer, reply)

    def written(
        self, outcome: Outcome[Any], answer: Answer[ScheduleChanged], reply: ScheduleChanged
    ) -> None:
        """It is on disk, or was refused."""
        name = reply["name"]
        self._settled(self._desk.book.read(name))
        if isinstance(outcome.error, ScheduleExists):
            answer.fail(_taken(name))
        elif isinstance(outcome.error, NoSuchSchedule):
            answer.fail(Refused("not_found", f"{outcome.error}: it has just been removed"))
        elif outcome.error is not None:
            answer.fail(outcome.error)
        else:
            answer.set(reply)


def _changed(name: str, paused: bool, next_slot: float | None) -> ScheduleChanged:
    return {"name": name, "paused": paused, "next_slot": timestamp(next_slot)}


def _check_name(name: str) -> None:
    if not ids.is_legal(name):
        raise Refused(
            "invalid_params",
            f"{name!r} cannot be the name of a schedule",
            hint="use letters, digits, _ and -, at most 63, the first a letter or digit",
        )


def _taken(name: str) -> Refused:
    return Refused(
        "conflict",
        f"a schedule has the name {name!r} already",
        hint=f"choose another --name, or `marianne schedule remove {name}` first",
        data={"name": name},
    )
