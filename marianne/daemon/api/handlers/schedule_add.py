"""``schedule.add``: a score is to run by the clock."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from actors import Future
from ipc import codec
from marianne.daemon.api.request_context import Call
from marianne.daemon.schedules.actor import SchedulesActor
from marianne.daemon.shared import edge
from marianne.state import ids
from marianne.state.models import ScheduleRow

if TYPE_CHECKING:
    from marianne.replies.schedules import ScheduleChanged

MUTATING = True


class Params(edge.Params):
    """``config_path`` is the score's file, which is read at each slot, and ``workspace`` likewise
    relative to ``client_cwd``; ``name`` None is the file's. What each job gets is as in
    ``job.submit``."""

    cron: edge.Text
    config_path: edge.ClientPath
    client_cwd: edge.ClientPath | None = None
    name: edge.Name | None = None
    tz: edge.Name = "UTC"
    overlap: Literal["skip", "queue", "replace"] = "skip"
    catch_up: Literal["none", "one", "all"] = "none"
    workspace: edge.ClientPath | None = None
    variables: edge.Variables = Field(default_factory=dict)
    priority: int = Field(5, ge=1, le=10)
    fresh: bool = False
    environment: edge.Environment = Field(default_factory=dict)


def handle(call: Call, params: Params) -> Future[ScheduleChanged]:
    """Its name and its next slot, once it is on disk."""
    cwd = os.path.abspath(params.client_cwd or os.getcwd())
    path = os.path.normpath(os.path.join(cwd, params.config_path))
    workspace = params.workspace
    row = ScheduleRow(
        name=params.name or ids.from_name(os.path.splitext(os.path.basename(path))[0]),
        cron=params.cron,
        zone=params.tz,
        overlap=params.overlap,
        catch_up=params.catch_up,
        created_at=0.0,  # when it is taken in
        decided_until=0.0,
        request={
            "config_path": path,
            "client_cwd": cwd,
            "workspace": None if workspace is None else os.path.join(cwd, workspace),
            "variables": params.variables,
            "priority": params.priority,
            "fresh": params.fresh,
        },
    )
    schedules = call.context.schedules.within(call.deadline)
    environment = codec.pack(params.environment)
    return schedules.call(SchedulesActor.add, row, environment, call.request_id)
