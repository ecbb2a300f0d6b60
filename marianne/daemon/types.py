"""What clients send and get: the documented models of a submission and of the conductor's state."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field, model_validator

from marianne.daemon.shared import edge


class JobRequest(edge.Params):
    """A wish to run a score.

    ``config_path`` is the score's file, relative to ``client_cwd``; ``score`` its text, for a
    client that has read it or got it from standard input. ``workspace`` replaces the score's.
    ``start_sheet`` (1-based) counts earlier sheets as done; so do ``from_sheet`` and
    ``until_sheet`` with those before and after a named one, and ``only`` with all that it does not
    name (names, numbers, ranges). ``max_concurrent`` bounds the sheets that run at once, whatever
    the score says.
    ``dry_run`` plans and keeps nothing. The job begins when those of ``after`` are completed, those
    of ``after_any`` are over, and it is the time ``at`` (seconds since the epoch). ``shared`` says
    that its directory is meant to be shared with other jobs; ``group`` is one that there is.
    ``executor`` is where its sheets run that say nothing else, over what the score says.
    ``environment`` is what the sheets get; it holds secrets and is in no repr. What is not UTF-8
    in it comes as bytes. Without ``hooks`` what the score wants done afterwards is left out.
    """

    config_path: edge.ClientPath | None = None
    workspace: edge.ClientPath | None = None
    fresh: bool = False
    self_healing: bool = False
    self_healing_auto_confirm: bool = False
    start_sheet: int | None = Field(None, ge=1, le=edge.INT32)
    from_sheet: edge.Name | None = None
    until_sheet: edge.Name | None = None
    only: edge.Names = []
    max_concurrent: int | None = Field(None, ge=1, le=1_000)
    after: edge.Names = []
    after_any: edge.Names = []
    at: edge.Seconds | None = None
    shared: bool = False
    group: edge.Name | None = None
    executor: edge.Name | None = None
    dry_run: bool = False
    chain_depth: int | None = Field(None, ge=0, le=edge.INT32)
    client_cwd: edge.ClientPath | None = None
    score: edge.Text | None = Field(None, repr=False)
    id: edge.Name | None = None
    variables: edge.Variables = Field(default_factory=dict)
    priority: int = Field(5, ge=1, le=10)
    hooks: bool = True
    environment: edge.Environment = Field(default_factory=dict)

    @model_validator(mode="after")
    def _something_to_run(self) -> JobRequest:
        if self.config_path is None and self.score is None:
            raise ValueError("give config_path or score")
        return self


class JobResponse(BaseModel):
    """The answer to a submission, at once: the job's end is asked for separately."""

    job_id: str
    status: Literal["accepted", "rejected", "pending", "error"]
    message: str | None = None
    warnings: list[str] = []
    plan: dict[str, Any] | None = None


class DaemonStatus(BaseModel):
    """The conductor at a glance. Memory is in MB (2**20 bytes), of the whole tree."""

    pid: int
    uptime_seconds: float
    running_jobs: int
    total_jobs_active: int
    memory_usage_mb: float
    version: str
