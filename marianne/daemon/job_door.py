"""How a job that has actors is reached by those who know only its service."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors import Handle
from marianne.daemon.exceptions import JobSubmissionError
from marianne.daemon.refusal import Refused

if TYPE_CHECKING:
    from marianne.daemon.context import Context
    from marianne.daemon.job import Job

SECONDS = 30.0


class JobDoor:
    """Asks the job's actor, whichever incarnation it is."""

    def __init__(self, context: Context, job_id: str, workspace: Path) -> None:
        self._context = context
        self._job_id = job_id
        self.workspace = workspace

    async def pause(self) -> None:
        """Answers when the pause is on disk. Raises JobSubmissionError where it is refused."""
        from marianne.daemon.job import Job

        try:
            await self._job.call(Job.pause, "person")
        except Refused as refusal:
            raise JobSubmissionError(refusal.message) from None

    def status(self) -> Awaitable[dict[str, Any]]:
        """The job with its sheets."""
        from marianne.daemon.job import Job
        from marianne.daemon.job_execution import LAST_SHEET

        return _unpacked(self._job.call(Job.status, 1, LAST_SHEET))

    @property
    def _job(self) -> Handle[Job]:
        return self._context.job(self._job_id).within(SECONDS)


async def _unpacked(asked: Awaitable[Any]) -> dict[str, Any]:
    from ipc import codec

    status: dict[str, Any] = codec.unpack(await asked)
    return status
