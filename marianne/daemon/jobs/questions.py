"""What the manager tells of jobs and of the conductor, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors import Future, Promise
from ipc import codec
from ipc.errors import CodecError
from marianne.daemon.job import status_bytes
from marianne.daemon.job.actor import Job
from marianne.daemon.jobs.desk import Desk
from marianne.daemon.shared.status_cache import Packed
from marianne.daemon.shared.unforeseen import refusal_of
from marianne.daemon.views import queries

if TYPE_CHECKING:
    from marianne.replies.conductor import ConductorStatus
    from marianne.replies.job import Job as JobReply


class Questions:
    """An admitted job's state is its actor's; of all others the database tells."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._context = desk.context
        self._live = desk.live

    def wait(self, job_id: str) -> Promise[JobReply]:
        """Returns the job without its sheets once it is over; a paused job is waited for."""
        promise: Promise[JobReply] = self._desk.turns.promise()
        live = self._live.get(job_id)
        if live is not None:
            live.wait(promise)
        else:
            self._desk.check_left(job_id)
            promise.set(queries.summary(self._desk.reader, job_id))
        return promise

    def status(self, job_id: str, first: int, last: int, packed: bool) -> Promise[Any]:
        """The job with its sheets ``first`` to ``last``."""
        promise: Promise[Any] = self._desk.turns.promise()
        live = self._live.get(job_id)
        if live is None or not live.admitted:
            self.status_from_disk(job_id, first, last, packed, promise)
            return promise

        def known(future: Future[Packed]) -> None:
            # In the job actor's thread: a message to us would be one hand-over more.
            status = future.outcome().value
            if status is not None:
                _give(promise, status, packed)
            else:  # it is being restarted
                self._desk.turns.soon(self.status_from_disk, job_id, first, last, packed, promise)

        self._context.job(job_id).call(Job.status, first, last).on_done(known)
        return promise

    def status_from_disk(
        self, job_id: str, first: int, last: int, packed: bool, promise: Promise[Any]
    ) -> None:
        """Answers by what is on disk."""
        cache = self._context.status_cache
        mark = cache.mark()
        try:
            status = status_bytes.at_rest(self._desk.reader, job_id, first, last)
        except Exception as error:  # noqa: BLE001 - see marianne.daemon.shared.unforeseen
            promise.fail(refusal_of(error))
            return
        live = self._live.get(job_id)
        if live is None or not live.admitted:  # what an actor is about to change is its own to keep
            cache.keep(mark, job_id, first, last, status)
        _give(promise, status, packed)

    def counts(self) -> dict[str, int]:
        """How many jobs are admitted and how many are not over at all."""
        return {"running_jobs": self._live.admitted, "total_jobs_active": len(self._live)}

    def daemon_status(self) -> ConductorStatus:
        """DaemonStatus as a map, with heart_pid, ready, pressure, disk (bytes) and home."""
        from marianne.daemon.types import DaemonStatus

        told = queries.daemon_status(self._context, self._live.admitted, len(self._live))
        DaemonStatus.model_validate(told)
        return told


def _give(promise: Promise[Any], status: Packed, packed: bool) -> None:
    """Answers with the status; fails where it is more than a message holds."""
    try:
        promise.set(status if packed else codec.unpack(status))
    except CodecError as error:
        promise.fail(error)
