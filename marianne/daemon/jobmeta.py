"""What the manager knows of a job beside its sheets: the documented JobMeta, over the job's row.

It is persisted: the row's columns, and ``options`` for what only some jobs have.
"""

from __future__ import annotations

import time
from dataclasses import field
from pathlib import Path
from typing import Any

from marianne.records import dataclass
from marianne.state.models import JobRow, JobStatus

DaemonJobStatus = JobStatus
"""The documented name of a job's status."""


@dataclass(slots=True)
class JobMeta:
    """Metadata of one job; times are seconds since the epoch.

    ``hook_config`` are the hooks that follow a completion, ``concert_config`` the limits of their
    chain, ``chain_depth`` how many jobs came before this one. ``completed_new_work`` says that an
    attempt of it was completed. ``pending_modify`` is the score (and workspace) that it goes on
    by when its running sheets have ended. ``held_chain_hook`` waits for a person.
    """

    job_id: str
    config_path: Path | None
    workspace: Path
    submitted_at: float = field(default_factory=time.time)
    started_at: float | None = None
    status: DaemonJobStatus = JobStatus.QUEUED
    error_message: str | None = None
    error_traceback: str | None = None
    chain_depth: int | None = None
    hook_config: list[dict[str, Any]] | None = None
    concert_config: dict[str, Any] | None = None
    completed_new_work: bool = False
    pending_modify: tuple[Path, Path | None] | None = None
    held_chain_hook: dict[str, Any] | None = None

    @classmethod
    def of(
        cls, row: JobRow, *, new_work: bool = False, pending: tuple[Path, Path | None] | None = None
    ) -> JobMeta:
        """Of a job as it is on disk."""
        after = row.options.get("after") or {}
        return cls(
            job_id=row.job_id,
            config_path=Path(row.config_path) if row.config_path else None,
            workspace=Path(row.workspace),
            submitted_at=row.submitted_at,
            started_at=row.started_at,
            status=row.status,
            error_message=row.error,
            error_traceback=row.options.get("traceback"),
            chain_depth=row.options.get("chain_depth"),
            hook_config=after.get("on_success"),
            concert_config=after.get("concert"),
            completed_new_work=new_work,
            pending_modify=pending,
            held_chain_hook=_held(row),
        )

    def to_dict(self) -> dict[str, Any]:
        """As clients see it; what is not set of the last four is left out."""
        found: dict[str, Any] = {
            "job_id": self.job_id,
            "status": str(self.status),
            "config_path": str(self.config_path) if self.config_path else None,
            "workspace": str(self.workspace),
            "submitted_at": self.submitted_at,
            "started_at": self.started_at,
        }
        for name in ("error_message", "error_traceback", "chain_depth", "held_chain_hook"):
            if getattr(self, name) is not None:
                found[name] = getattr(self, name)
        return found


def _held(row: JobRow) -> dict[str, Any] | None:
    """The hook that a job paused before its next job is at."""
    hooks = (row.options.get("after") or {}).get("on_success") or []
    done = int(row.options.get("hooks_done") or 0)
    held = row.status is JobStatus.PAUSED and row.reason == "chain" and done < len(hooks)
    return hooks[done] if held else None
