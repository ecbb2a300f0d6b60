"""What all parts of the job manager work at: the live jobs, the database, the requests in hand."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from marianne.daemon.context import Context
from marianne.daemon.job.machine import JobMachine
from marianne.daemon.jobs.roster import Live, Roster
from marianne.daemon.services.store import WRITE_DEADLINE, Store
from marianne.daemon.shared import next_steps
from marianne.daemon.shared.once import Once
from marianne.daemon.shared.refusal import Refused, not_found
from marianne.daemon.shared.turns import Turns
from marianne.daemon.views import queries
from marianne.state.changes import Change
from marianne.state.models import JobRow, JobStatus
from marianne.state.reader import Reader


class Desk:
    """For the manager's thread. ``writer`` is the name under which the store knows the manager.

    ``deleting`` are jobs whose deletion is on its way to the disk.
    ``when_over`` are told of each job that is over, on disk, and is none of the live ones now.
    ``hooks_left`` says whether hooks of a job that has ended are left.
    """

    def __init__(self, context: Context, turns: Turns, writer: str) -> None:
        self.context = context
        self.turns = turns
        self.live = context.roster = Roster()
        self.reader = Reader(context.home.db)
        self.deleting: set[str] = set()
        self.when_over: list[Callable[[str], None]] = []
        self.hooks_left: Callable[[JobRow], bool] = lambda _row: False
        self.once = Once(self.reader, context.storage, turns.promise)
        self._writer = writer

    def close(self) -> None:
        """Closes the reader: the last connection to go folds the log into the database."""
        self.reader.close()

    # -- the database ---------------------------------------------------------------------------

    def write(self, changes: Sequence[Change]) -> Any:
        """A future of the commit, which waits for a disk that is full."""
        store = self.context.store.within(WRITE_DEADLINE)
        return store.call(Store.write, changes, self._writer)

    def ask_to_write(self, changes: Sequence[Change]) -> Any:
        """For what a client asked: it fails while the disk does, and the client asks again."""
        store = self.context.store.within(WRITE_DEADLINE)
        return store.call(Store.write, changes, self._writer, kept=False)

    def known(self, job_id: str) -> JobRow:
        """The job's row as it is on disk. Refuses with ``not_found``, and with ``unavailable`` one
        that is being deleted."""
        if job_id in self.deleting:
            raise Refused("unavailable", f"job {job_id} is just being deleted")
        row = self.reader.job(job_id)
        if row is None:
            raise not_found(job_id)
        return row

    def machine(self, job_id: str) -> JobMachine:
        """What decides about a job that has no actors, by what is on disk."""
        job = self.known(job_id)
        rows = {row.num: row for row in self.reader.sheets(job_id)}
        return JobMachine(queries.plan_of(self.reader, job_id), job, rows, random.random)

    def back_to_disk(self, job_id: str) -> None:
        """A change did not come about: the job is what its row says."""
        row = self.reader.job(job_id)
        if row is None or row.status.terminal:
            live = self.live.pop(job_id, None)
            if live is not None and row is not None:
                self.tell_waiting(live)
        elif (live := self.live.get(job_id)) is not None:
            live.row = row
            self.live[job_id] = live  # it is found by where it works, too

    def tell_waiting(self, live: Live) -> None:
        """Tells those who wait for a job's end how it stands, or to ask the next conductor, whose
        its hooks are; it is none of the live ones now."""
        left = self.left(live.row.job_id) if live.waiters else None
        if live.waiters or live.cancels:
            summary = queries.summary(self.reader, live.row.job_id)
            for waiter in live.waiters:
                waiter.set(summary) if left is None else waiter.fail(left)
            for answer in live.cancels:
                answer.set(summary)
        for tell in self.when_over:
            tell(live.row.job_id)

    # -- who may be changed ---------------------------------------------------------------------

    def live_job(self, job_id: str) -> Live:
        """A job that is not over. Refuses with ``conflict`` one that is, ``not_found`` a stranger,
        ``unavailable`` one whose last change is not on disk yet."""
        live = self.live.get(job_id)
        if live is not None:
            check_sure(live)
        if live is not None and not live.over:
            return live
        row = live.row if live is not None else self.reader.job(job_id)
        if row is None:
            raise not_found(job_id)
        message = f"job {job_id} is {row.status} already"
        raise Refused("conflict", message, hint=self.newer(job_id))

    def newer(self, job_id: str) -> str | None:
        """Says which job may be meant where the id of an older one is the name of its score."""
        newest = self.reader.newest(job_id)
        return f"the newest job of {job_id} is {newest}" if newest not in (job_id, None) else None

    def check_over(self, job_id: str) -> None:
        """Refuses a job that is not over, or whose hooks are not: with ``unavailable`` while a
        change of it is not on disk yet, with ``shutting_down`` where they are the next
        conductor's."""
        live = self.live.get(job_id)
        if live is None:
            self.check_left(job_id)
            return
        check_sure(live)
        self.check_away(live)
        if live.row.status.terminal:
            hint = f"{next_steps.named('wait', job_id)} waits for them"
            raise Refused("conflict", f"job {job_id}: its hooks are not over", hint=hint)
        hint = next_steps.until_over(job_id, self.known(job_id).status)
        raise Refused("conflict", f"job {job_id}: it is not over", hint=hint)

    def check_left(self, job_id: str) -> None:
        """Refuses with ``shutting_down`` a job whose hooks are the next conductor's."""
        left = self.left(job_id)
        if left is not None:
            raise left

    def left(self, job_id: str) -> Refused | None:
        """What to say of a job if a conductor that is to end has left what follows its end."""
        row = self.reader.job(job_id) if self.context.stop.mode is not None else None
        if row is None or not self.hooks_left(row):
            return None
        text = f"job {job_id}: its hooks are left to the next start of a conductor"
        return Refused("shutting_down", text)

    def check_away(self, live: Live) -> None:
        """Refuses with ``unavailable`` a job whose end or pause is on disk, but that still has a
        place."""
        row = self.reader.job(live.row.job_id) if live.admitted else None
        if row is not None and (row.status.terminal or row.status is JobStatus.PAUSED):
            raise Refused("unavailable", f"job {row.job_id} is just being put away")


def check_sure(live: Live) -> None:
    """Refuses what is asked of a job whose last change is still on its way to the disk: asked
    again (as clients do by themselves) it finds it decided."""
    if live.unsure:
        raise Refused("unavailable", f"another change of job {live.row.job_id} is being written")
