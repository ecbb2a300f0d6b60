"""``job.modify``: a job goes on by another score, or has another place in the queue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.shared import edge

if TYPE_CHECKING:
    from marianne.replies.changes import Modified

MUTATING = True


class Params(edge.Params):
    """``config_path`` is the file, relative to ``client_cwd``; ``score`` its text if it was read.

    ``workspace`` None keeps the job's. ``dry_run`` tells what would change. A job that a person has
    paused stays so, but for ``resume``. Or, without a score,
    ``priority``, of a job that waits to be let in.
    """

    job_id: edge.Name
    config_path: edge.ClientPath | None = None
    score: edge.Text | None = None
    workspace: edge.ClientPath | None = None
    client_cwd: edge.ClientPath | None = None
    dry_run: bool = False
    resume: bool = False
    priority: int | None = Field(None, ge=1, le=10)

    @model_validator(mode="after")
    def _something_new(self) -> Params:
        score = self.config_path is not None or self.score is not None
        if not score and self.priority is None:
            raise ValueError("config_path required, or priority")
        if self.priority is not None and (score or self.workspace or self.dry_run or self.resume):
            raise ValueError("a priority is changed alone")
        return self

    def place(self, path: Path | None) -> str | None:
        """The absolute path, or None."""
        return None if path is None else str((self.client_cwd or Path.cwd()) / path)


def handle(call: Call, params: Params) -> Future[Modified]:
    """The job's id and status, what changes, and the difference of the texts."""
    manager = call.context.manager.within(call.deadline)
    return manager.call(
        ManagerActor.modify_job,
        call.resolve(params.job_id),
        params.place(params.config_path),
        params.place(params.workspace),
        params.score,
        params.dry_run,
        call.request_id,
        params.priority,
        params.resume,
    )
