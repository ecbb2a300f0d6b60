"""The job that a hook of the type run_job starts: its score, and where it works."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marianne.daemon.jobmeta import JobMeta
from marianne.score.placeholders import fill
from marianne.state.models import JobRow

if TYPE_CHECKING:
    from marianne.daemon.types import JobRequest
    from marianne.model.plan import Plan


def next_job(
    row: JobRow,
    hook: Mapping[str, Any],
    names: Mapping[str, Any],
    depth: int,
    environment: dict[str, str],
    plan: Callable[[], Plan],
) -> tuple[JobRequest, str]:
    """The request, and what is to be said of its workspace. Raises ValueError where the hook is no
    request.

    A worktree that was merged or thrown away is left to nobody: an empty directory would stand in
    its place, in which the next job finds nothing, and no later worktree of its name could be made.
    """
    from pydantic import ValidationError

    from marianne.daemon.types import JobRequest

    base = Path(row.config_path).parent if row.config_path else Path(row.workspace)
    workspace, said = hook["job_workspace"], ""
    concert = JobMeta.of(row).concert_config
    if workspace is not None:
        workspace = base / fill(workspace, dict(names))
    elif concert is not None and concert["inherit_workspace"]:
        if _taken_away(row, plan):
            said = f", in its own workspace: the worktree of {row.job_id} is gone"
        else:
            workspace = Path(row.workspace)
    wanted = {
        "config_path": base / fill(hook["job_path"], dict(names)),
        "workspace": workspace,
        "client_cwd": base,
        "fresh": hook["fresh"],
        "chain_depth": depth,
        "priority": row.priority,
        "environment": environment,
    }
    try:
        return JobRequest.model_validate(wanted), said
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise ValueError("; ".join(f"{one['loc'][0]}: {one['msg']}" for one in found)) from None


def _taken_away(row: JobRow, plan: Callable[[], Plan]) -> bool:
    """Whether the job's workspace was a worktree that its last step has removed."""
    if os.path.lexists(row.workspace):
        return False
    return any(sheet.workspace_step == "end" for sheet in plan().sheets)
