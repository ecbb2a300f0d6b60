"""The sections that both spellings of a score share, as pydantic models.

Only loading imports these: the plan, the worker and the conductor never do. Every section refuses
unknown keys.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from marianne.model.fields import Duration, Many, Num, Number, Price, Section, Timeout, Wait
from marianne.score.notice_config import check_target, checked


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


ToolList = Annotated[list[str], BeforeValidator(_split, json_schema_input_type=list[str] | str)]


class InstrumentConfig(BaseModel):
    """Settings of an instrument. Keys that no profile reads are kept, and warned of."""

    model_config = ConfigDict(extra="allow", frozen=True)
    model: str | None = None
    cli_model: str | None = None
    timeout_seconds: Timeout | None = None
    timeout_overrides: dict[Num, Timeout] | None = None
    skip_permissions: bool = True
    disable_mcp: bool = True
    allowed_tools: ToolList | None = None
    system_prompt_file: str | None = None
    mcp_config: str | None = None
    cli_extra_args: list[str] | None = None
    working_directory: str | None = None

    def given(self) -> dict[str, Any]:
        """What the score says, without defaults."""
        return self.model_dump(exclude_unset=True)


class Retry(Section):
    """When and how often a failed attempt is tried again."""

    max_retries: int | None = Field(
        default=None, ge=0, le=10_000, description="retries after the first"
    )
    base_delay_seconds: Duration = Field(default=10.0, gt=0, le=86400 * 30)
    max_delay_seconds: Duration = Field(default=3600.0, gt=0, le=86400 * 30)
    exponential_base: Number = Field(default=2.0, ge=1, le=100)
    jitter: bool = True
    max_completion_attempts: int = Field(default=5, ge=0, le=1000)
    completion_delay_seconds: Wait = 5.0
    completion_threshold_percent: Number = Field(default=50.0, ge=0, le=100)

    @model_validator(mode="after")
    def _ordered(self) -> Retry:
        if self.base_delay_seconds > self.max_delay_seconds:
            raise ValueError("base_delay_seconds is longer than max_delay_seconds")
        return self


class Parallel(Section):
    """How many sheets of this job run at once; ``enabled: false`` is one at a time."""

    enabled: bool = True
    max_concurrent: int | None = Field(default=None, ge=1, le=1000)
    stagger_delay_ms: int = Field(default=0, ge=0, le=600_000)
    fail_fast: bool = False
    budget_partition: bool = False


Label = Annotated[str, Field(min_length=1, max_length=100)]


class Resources(Section):
    """What a sheet takes of the machine while it runs, and which machines will do."""

    cpus: Number | None = Field(default=None, ge=0.01, le=1024)
    memory_mb: int | None = Field(default=None, ge=0, le=2**40)
    gpus: int | None = Field(default=None, ge=0, le=1024)
    labels: list[Label] | None = None


class CrossSheet(Section):
    """What a sheet's prompt sees of earlier sheets."""

    auto_capture_stdout: bool = False
    max_output_chars: int = Field(default=2000, ge=1, le=1_000_000)
    lookback_sheets: Many = Field(default=3, ge=0, description="how many sheets back; 0 is all")
    capture_files: list[str] = []


class StaleDetection(Section):
    """Ends a sheet that has written nothing for a while."""

    enabled: bool = False
    idle_timeout_seconds: Timeout = 300.0
    check_interval_seconds: Timeout = 30.0


class Injection(Section):
    """A file, or every file of a directory, put into the prompt. Jinja2 in the path is rendered."""

    file: str | None = None
    directory: str | None = None
    kind: Literal["context", "skill", "tool"] = Field(default="context", alias="as")

    @model_validator(mode="after")
    def _one_source(self) -> Injection:
        if (self.file is None) == (self.directory is None):
            raise ValueError("needs either 'file' or 'directory'")
        return self


class SkipCommand(Section):
    """A command whose exit code 0 skips the sheet; a timeout or an error runs it."""

    command: str = Field(min_length=1)
    description: str | None = None
    timeout_seconds: Timeout = Field(default=10.0, le=60)


class InstrumentAlias(Section):
    """A name of the score's own for a profile with settings."""

    profile: str
    config: InstrumentConfig = Field(default_factory=InstrumentConfig)


class Hook(Section):
    """What is done after the job ended."""

    type: Literal["run_job", "run_command", "run_script"]
    job_path: str | None = None
    job_workspace: str | None = None
    inherit_learning: bool = True
    command: str | None = Field(default=None, max_length=4096)
    working_directory: str | None = None
    description: str | None = None
    on_failure: Literal["continue", "abort"] = "continue"
    timeout_seconds: Timeout = 300.0
    detached: bool = False
    fresh: bool = False
    pause_before_chain: bool = False
    after_cancel: bool = False

    @model_validator(mode="after")
    def _has_target(self) -> Hook:
        if self.type == "run_job" and not self.job_path:
            raise ValueError("run_job needs 'job_path'")
        if self.type != "run_job" and not self.command:
            raise ValueError(f"{self.type} needs 'command'")
        return self


class Concert(Section):
    """Limits of a chain of jobs started by on_success hooks."""

    enabled: bool = False
    max_chain_depth: int = Field(default=5, ge=1, le=100)
    cooldown_between_jobs_seconds: Wait = 5.0
    inherit_workspace: bool = True
    concert_log_path: str | None = None
    abort_concert_on_hook_failure: bool = False


class Notification(Section):
    """Where and of what a person is told."""

    type: Literal["command", "desktop", "slack", "webhook", "apprise", "email"]
    on_events: list[
        Literal[
            "job_start",
            "sheet_start",
            "sheet_complete",
            "sheet_failed",
            "sheet_retry",
            "job_complete",
            "job_failed",
            "job_paused",
            "needs_me",
            "machine",
        ]
    ] = ["job_complete", "job_failed"]
    config: dict[str, Any] = {}

    @field_validator("config")
    @classmethod
    def _in_seconds(cls, config: dict[str, Any]) -> dict[str, Any]:
        return checked(config)

    @model_validator(mode="after")
    def _has_target(self) -> Notification:
        check_target(self.type, self.config)
        return self


class WorkspaceLifecycle(Section):
    """What becomes of an old workspace when a job is run with --fresh."""

    archive_on_fresh: bool = False
    archive_dir: str = "archive"
    archive_naming: Literal["iteration", "timestamp"] = "iteration"
    max_archives: Many = Field(default=0, ge=0, description="0 keeps all")
    preserve_patterns: list[str] = [
        ".iteration",
        ".marianne-*",
        ".coverage",
        "archive/**",
        ".worktrees/**",
    ]

    @field_validator("archive_dir")
    @classmethod
    def _inside(cls, value: str) -> str:
        parts = value.split("/")
        if not value.strip() or value.startswith("/") or ".." in parts or set(parts) <= {".", ""}:
            raise ValueError("a directory inside the workspace, relative to it")
        return value


class CostLimits(Section):
    """What a sheet and a job may cost, in the currency of the prices."""

    enabled: bool = False
    max_cost_per_sheet: Price | None = Field(default=None, gt=0)
    max_cost_per_job: Price | None = Field(default=None, gt=0)
    cost_per_1k_input_tokens: Price = Field(default=0.003, ge=0)
    cost_per_1k_output_tokens: Price = Field(default=0.015, ge=0)
    warn_at_percent: Number = Field(default=80.0, ge=0, le=100)

    @model_validator(mode="before")
    @classmethod
    def _enabled_by_a_limit(cls, value: Any) -> Any:
        if isinstance(value, dict) and "enabled" not in value:
            limits = ("max_cost_per_sheet", "max_cost_per_job")
            return {**value, "enabled": any(value.get(key) is not None for key in limits)}
        return value

    @model_validator(mode="after")
    def _has_limit(self) -> CostLimits:
        if self.enabled and self.max_cost_per_sheet is None and self.max_cost_per_job is None:
            raise ValueError("enabled without max_cost_per_sheet or max_cost_per_job")
        return self


class RateLimit(Section):
    """How long a rate-limited sheet waits. The profile's patterns say what a rate limit is."""

    detection_patterns: list[str] = []
    wait_minutes: int = Field(default=60, ge=1, le=10_080)
    max_waits: Many = Field(default=24, ge=0)
    max_quota_waits: Many = Field(default=48, ge=0)
