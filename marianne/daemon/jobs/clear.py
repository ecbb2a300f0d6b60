"""Deleting jobs that are over: what a person clears, and what retention finds too much or too old.

The rows go first; a start removes files that have no row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from actors import Outcome
from marianne.clock import earliest
from marianne.daemon.jobs.desk import Desk
from marianne.daemon.shared.idempotency import Answer
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.views import queries
from marianne.state.changes import DeleteJob

if TYPE_CHECKING:
    from marianne.replies.changes import Cleared

log = get_logger(__name__)


class Clear:
    """Workspaces are left alone. ``awaited`` says whose end another job has still to see."""

    def __init__(self, desk: Desk, awaited: Callable[[Iterable[str]], set[str]]) -> None:
        self._desk = desk
        self._awaited = awaited
        self._live = desk.live
        self._reader = desk.reader

    def clear(
        self,
        answer: Answer[Cleared],
        statuses: Sequence[str] | None,
        older_than_seconds: float | None,
        job_ids: Sequence[str] | None,
    ) -> None:
        for job_id in job_ids or ():
            self._desk.check_over(job_id)
        for job_id in self._awaited(job_ids or ()):
            raise Refused(
                "unavailable", f"a job that waits for {job_id} is just being told its end"
            )
        chosen = queries.clearable(
            self._desk.reader, statuses, older_than_seconds, job_ids, earliest()
        )
        chosen = self._deletable(chosen)
        reply: Cleared = {"deleted": len(chosen), "jobs": chosen}
        changes = [*(DeleteJob(job_id) for job_id in chosen), *answer.remember(reply)]
        self._desk.deleting.update(chosen)
        self._desk.turns.pipe(self._desk.ask_to_write(changes), self.cleared, reply, answer)

    def _deletable(self, job_ids: Sequence[str]) -> list[str]:
        kept = self._awaited(job_ids) | self._desk.deleting
        free = [one for one in job_ids if one not in self._desk.live and one not in kept]
        return [one for one in free if self._desk.left(one) is None]

    def cleared(self, outcome: Outcome[Any], reply: Cleared, answer: Answer[Cleared]) -> None:
        """The rows are gone; the files follow (a start removes files without a row)."""
        self._desk.deleting.difference_update(reply["jobs"])
        if outcome.error is not None:
            answer.fail(outcome.error)
            return
        self._desk.context.executor.remove(reply["jobs"])
        answer.set(reply)

    def forget_jobs(self, chosen: Sequence[str]) -> None:
        """Retention: deletes finished jobs that are too many."""
        gone = self._deletable(chosen)
        self._desk.deleting.update(gone)
        changes = [DeleteJob(job_id) for job_id in gone]
        self._desk.turns.pipe(self._desk.ask_to_write(changes), self.forgotten, gone)

    def forgotten(self, outcome: Outcome[Any], gone: Sequence[str]) -> None:
        """Their rows are gone (or stay until the next look); the files follow."""
        self._desk.deleting.difference_update(gone)
        if outcome.error is None:
            self._desk.context.executor.remove(gone)
        else:
            log.warning("jobs_not_forgotten", error=repr(outcome.error))

    def forget_files(self, chosen: Sequence[str]) -> None:
        """Retention: removes the files of finished jobs, whose rows stay."""
        ended = [job_id for job_id in chosen if job_id not in self._desk.live]
        self._desk.context.executor.remove(ended)
