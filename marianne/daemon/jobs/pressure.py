"""What pressure does to jobs: one is paused at the hard limit, none begins, and all go on after it.

Part of the job manager. A job that is paused with the reason ``pressure`` is a row like any paused
job; a restart finds it by that reason and lets it go on when there is room.
"""

from __future__ import annotations

import itertools
import time
from typing import Any

from actors import Outcome
from marianne.daemon.job.actor import Job
from marianne.daemon.jobs.commands import Commands
from marianne.daemon.shared.log import get_logger
from marianne.state.changes import AddEvent, Change, UpdateJob
from marianne.state.models import JobStatus
from marianne.state.transitions import move

log = get_logger(__name__)

REASON = "pressure"


class UnderPressure(Commands):
    """The monitor's wishes."""

    def pause_for_pressure(self, job_id: str) -> None:
        """This job uses most: its running sheets finish, nothing of it starts for now."""
        live = self._live.get(job_id)
        if live is not None and live.admitted:
            self._context.job(job_id).tell(Job.press)

    def pressure_fell(self) -> None:
        """The level fell: what it held back may go on."""
        self._admit()

    def _admit(self, *, lined_up: bool = False) -> None:
        # Everything that ends a wait comes through here: a start, a job's end, a level that fell.
        if not lined_up and self._context.resources.is_accepting_work():
            self._let_go_on()
        if self._context.backpressure.should_accept_job():
            super()._admit(lined_up=lined_up)
        elif self._context.stop.mode is None and self._context.storage.problem is None:
            places = max(0, self._room())
            self._live.line_up()
            held = itertools.islice(self._live.in_line(), places)
            self._hold([row.job_id for row in held], REASON)

    def _let_go_on(self) -> None:
        for job_id, live in self._live.items():
            if live.admitted:
                self._context.job(job_id).tell(Job.relieve)
            elif (live.row.status, live.row.reason, live.unsure) == (
                JobStatus.PAUSED,
                REASON,
                False,
            ):
                move(live.row, JobStatus.QUEUED)
                live.row.reason = None
                changes: list[Change] = [
                    UpdateJob(job_id, {"status": JobStatus.QUEUED, "reason": None}),
                    AddEvent(job_id, None, "job.resumed", {"reason": REASON}, time.time()),
                ]
                self.pipe(self._write(changes), self.goes_on, job_id)

    def goes_on(self, outcome: Outcome[Any], job_id: str) -> None:
        """That a job goes on is on disk."""
        if outcome.error is not None:
            raise outcome.error
        log.info("goes_on_after_pressure", job_id=job_id)
        self._admit()
