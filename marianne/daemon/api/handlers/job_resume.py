"""``job.resume``: paused jobs go on, failed and cancelled ones run what is left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.api.selection import Selection, each
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.shared import edge
from marianne.daemon.shared.refusal import Refused

if TYPE_CHECKING:
    from marianne.replies.changes import Changed, Resumed, Several

MUTATING = True


class Params(Selection):
    """``config_path`` is another score for one job, relative to ``client_cwd``.

    Without it a score whose file has changed is read again, unless ``no_reload``.
    """

    config_path: edge.ClientPath | None = None
    workspace: edge.ClientPath | None = None
    no_reload: bool = False
    client_cwd: edge.ClientPath | None = None


def handle(call: Call, params: Params) -> Future[Several[Resumed]]:
    """For each job that was meant: its id and status, or its error."""
    several = params.all or params.statuses or len(params.ids) != 1
    if several and (params.config_path is not None or params.workspace is not None):
        raise Refused("invalid_params", "another score is for one job", hint="name one job")
    cwd = params.client_cwd or Path.cwd()
    config_path = str(cwd / params.config_path) if params.config_path else None
    workspace = str(cwd / params.workspace) if params.workspace else None
    manager = call.context.manager.within(call.deadline)

    def ask(job_id: str, request_id: str) -> Future[Changed]:
        return manager.call(
            ManagerActor.resume_job, job_id, workspace, config_path, params.no_reload, request_id
        )

    return each(call, params, ask)
