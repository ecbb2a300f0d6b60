"""How a job that has actors is reached by those who know only its service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from actors import ActorDied, Handle, NoSuchActor
from marianne.daemon.shared.exceptions import JobSubmissionError
from marianne.daemon.shared.refusal import Refused

if TYPE_CHECKING:
    from marianne.daemon.context import Context
    from marianne.daemon.job.actor import Job
    from marianne.replies.job import Status

SECONDS = 30.0
GONE = (ActorDied, NoSuchActor)


class JobDoor:
    """Asks the job's actor, whichever incarnation it is."""

    def __init__(self, context: Context, job_id: str, workspace: Path) -> None:
        self._context = context
        self._job_id = job_id
        self.workspace = workspace

    async def pause(self) -> None:
        """Returns when the pause is on disk. Raises JobSubmissionError where it is refused, and
        where the job has just come to its end."""
        from marianne.daemon.job.actor import Job

        try:
            await self._job.call(Job.pause, "person")
        except Refused as refusal:
            raise JobSubmissionError(refusal.message) from None
        except GONE:
            raise JobSubmissionError(f"job {self._job_id} is just being put away") from None

    async def status(self) -> Status | None:
        """The job with its sheets; None where it has just come to its end: that is on disk."""
        from ipc import codec
        from marianne.daemon.job.actor import Job
        from marianne.daemon.job.execution import LAST_SHEET

        try:
            status: Status = codec.unpack(await self._job.call(Job.status, 1, LAST_SHEET))
        except GONE:
            return None
        return status

    @property
    def _job(self) -> Handle[Job]:
        return self._context.job(self._job_id).within(SECONDS)
