"""Who is let in: the line of jobs that wait, the places, the memory, and what pressure does.

A job whose turn it is and that finds no room in memory, or too much pressure, is ``pending``
meanwhile. A job that is paused with the reason ``pressure`` is a row like any paused job; a restart
finds it by that reason and lets it go on when there is room.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from actors import Outcome
from marianne.daemon.job.actor import Job
from marianne.daemon.jobs import memory
from marianne.daemon.jobs.desk import Desk
from marianne.daemon.jobs.job_life import Happens
from marianne.daemon.jobs.memory import MemoryRoom
from marianne.daemon.jobs.roster import Live
from marianne.daemon.services.learning import LearningActor
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.turns import raise_error
from marianne.schedule.room import Room, admit
from marianne.state.changes import AddEvent, Change, UpdateJob
from marianne.state.models import JobRow, JobStatus
from marianne.state.transitions import move

if TYPE_CHECKING:
    from marianne.replies.reports import Reason

log = get_logger(__name__)

PRESSURE = "pressure"
"""Why a job is paused, or ``pending``, that the machine has no room for just now."""


class Admission:
    """Gives the ``max_concurrent_jobs`` places away; ``let_in`` starts what has one on disk.
    ``may`` passes on those of the line whose groups have room."""

    def __init__(
        self,
        desk: Desk,
        room: MemoryRoom,
        let_in: Callable[[str], None],
        may: Callable[[Iterable[JobRow]], Iterator[JobRow]] = iter,
    ) -> None:
        self._desk = desk
        self._context = desk.context
        self._live = desk.live
        self._memory = room
        self._let_in = let_in
        self._may = may

    @property
    def places(self) -> int:
        """Places that are free; negative while a lower limit is not reached yet."""
        return self._context.config.max_concurrent_jobs - self._live.admitted

    def free(self) -> Room:
        """The room beside the jobs that run."""
        running = ((live.row, live.size) for live in self._live.running())
        return self._memory.room(self.places, running)

    def admit(self, *, lined_up: bool = False) -> None:
        """Lets those begin for whom there is room. ``lined_up`` says that no row's status was set
        since the last time: then nobody looks through all of them.

        Everything that ends a wait comes through here: a start, a job's end, a level that fell, a
        disk that works again.
        """
        if not lined_up and self._context.resources.is_accepting_work():
            self._let_go_on()
        if self._context.stop.mode is not None or self._context.storage.problem is not None:
            return
        pressed = not self._context.backpressure.should_accept_job()
        if pressed or not lined_up:
            self._live.line_up()
        if pressed:
            held = itertools.islice(self._live.in_line(), max(0, self.places))
            self._hold([row.job_id for row in held], PRESSURE)
        elif self.places > 0:
            self._admit_in_line()

    def _admit_in_line(self) -> None:
        waiting = (
            self._memory.size(row, self._live[row.job_id].size)
            for row in self._may(self._live.in_line())
        )
        admitted, held = admit(waiting, self.free())
        now = time.time()
        for one in admitted:
            live = self._live[one.job_id]
            self._live.move(live, Happens.ADMIT)
            changes: list[Change] = [
                *_started(live.row, now),
                AddEvent(one.job_id, None, "job.started", {}, now),
            ]
            self._desk.turns.pipe(self._desk.write(changes), self.admitted, one.job_id)
        self._hold([one.job_id for one in held], memory.REASON)

    def admitted(self, outcome: Outcome[Any], job_id: str) -> None:
        """An admission is on disk: its actors may start."""
        raise_error(outcome)
        live = self._live[job_id]
        if self._live.move(live, Happens.COMMITTED):
            self._let_in(job_id)
        size = live.size
        if size.estimate is not None:
            self._context.learning.tell(LearningActor.used, size.config_hash)

    def place(self, live: Live, now: float) -> str | None:
        """Lets a new job run at once, or says in words why it has to wait for memory.

        Where others wait already it gets in line behind them, and is looked at once on disk.
        """
        line = self._live
        if self.places <= 0 or line.comes or next(line.in_line(), None) is not None:
            return None
        if next(self._may([live.row]), None) is None:
            return None
        room = self.free()
        admitted, _ = admit([self._memory.size(live.row, live.size)], room)
        if admitted:
            move(live.row, JobStatus.RUNNING)
            live.row.started_at = now
            return None
        move(live.row, JobStatus.PENDING)
        live.row.reason = memory.REASON
        self._context.resources.awaited = True
        return self._memory.why(live.row, live.size, room)["text"]

    def why_held(self, live: Live) -> Reason:
        """Why a job is ``pending``, as of :meth:`MemoryRoom.why`."""
        return self._memory.why(live.row, live.size, self.free())

    def _hold(self, job_ids: Sequence[str], reason: str) -> None:
        """Their turn has come and there is no room: they say so until there is."""
        self._context.resources.awaited = bool(job_ids)
        now = time.time()
        for job_id in job_ids:
            row = self._live[job_id].row
            if row.status is JobStatus.PENDING and row.reason == reason:
                continue
            move(row, JobStatus.PENDING)
            row.reason = reason
            changes: list[Change] = [
                UpdateJob(job_id, {"status": row.status, "reason": reason}),
                AddEvent(job_id, None, "job.pending", {"reason": reason}, now),
            ]
            self._desk.turns.pipe(self._desk.write(changes), raise_error)

    # -- pressure -------------------------------------------------------------------------------

    def pause_for_pressure(self, job_id: str) -> None:
        """This job uses most: its running sheets finish, nothing of it starts for now."""
        live = self._live.get(job_id)
        if live is not None and live.admitted:
            self._context.job(job_id).tell(Job.press)

    def _let_go_on(self) -> None:
        for job_id, live in self._live.items():
            if live.admitted:
                self._context.job(job_id).tell(Job.relieve)
            elif (live.row.status, live.row.reason, live.unsure) == (
                JobStatus.PAUSED,
                PRESSURE,
                False,
            ):
                move(live.row, JobStatus.QUEUED)
                live.row.reason = None
                changes: list[Change] = [
                    UpdateJob(job_id, {"status": JobStatus.QUEUED, "reason": None}),
                    AddEvent(job_id, None, "job.resumed", {"reason": PRESSURE}, time.time()),
                ]
                self._desk.turns.pipe(self._desk.write(changes), self.goes_on, job_id)

    def goes_on(self, outcome: Outcome[Any], job_id: str) -> None:
        """That a job goes on is on disk."""
        raise_error(outcome)
        log.info("goes_on_after_pressure", job_id=job_id)
        self.admit()


def _started(row: JobRow, now: float) -> list[Change]:
    move(row, JobStatus.RUNNING)
    row.reason, row.started_at = None, row.started_at or now
    fields = {"status": row.status, "reason": None, "started_at": row.started_at}
    return [UpdateJob(row.job_id, {**fields, "finished_at": None, "error": None})]
