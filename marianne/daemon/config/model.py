"""The model of a conductor's configuration: its fields, their defaults and what each may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator, model_validator

from marianne.daemon.config import machine
from marianne.daemon.config.executors import ExecutorConfig
from marianne.daemon.config.metrics import MetricsConfig
from marianne.daemon.config.receivers import Receivers
from marianne.daemon.config.sections import (
    KeyringConfig,
    LearningConfig,
    LimitsConfig,
    McpPoolConfig,
    Number,
    ObserverConfig,
    Place,
    PreflightConfig,
    ProfilerConfig,
    ResourceLimitConfig,
    RetentionConfig,
    SandboxConfig,
    Seconds,
    Section,
    SocketConfig,
)
from marianne.daemon.config.traces import TracesConfig
from marianne.daemon.config.web import WebConfig
from marianne.keys.address import port_of

if TYPE_CHECKING:
    from marianne.home import Home


class DaemonConfig(Section):
    """Everything that can be set on a conductor. A place that is None is in its home."""

    resource_limits: ResourceLimitConfig = Field(
        default_factory=ResourceLimitConfig.model_construct
    )
    socket: SocketConfig = Field(default_factory=SocketConfig.model_construct)
    listen: str | None = Field(
        None,
        description="Where other machines reach it, by keys: tcp://HOST:PORT; events at PORT + 1.",
    )
    pid_file: Place | None = Field(None, description="The lock and the pids; default: in the home.")
    max_concurrent_jobs: int = Field(15, ge=1, le=50, description="Jobs that run at one time.")
    max_concurrent_sheets: int = Field(
        machine.SLOTS,
        ge=1,
        le=100,
        description="Processors that the sheets of all jobs take at one time.",
    )
    max_concurrent_agents: int = Field(
        25, ge=1, le=100, description="Sheets of agents, of all jobs, that run at one time."
    )
    gpus: int | None = Field(
        None, ge=0, le=1024, description="Graphics processors for sheets; default: those there are."
    )
    labels: list[str] = Field(
        [], description="What the machine is called by sheets that want one of that label."
    )
    executor: str = Field(
        machine.LOCAL, description="Where sheets run; local, or a name of executors."
    )
    executors: list[ExecutorConfig] = Field(
        default_factory=list, description="Clusters that sheets may run on."
    )
    state_backend_type: Literal["sqlite"] = Field("sqlite", description="There is only this one.")
    state_db_path: Place | None = Field(None, description="The database; default: in the home.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least that is logged."
    )
    log_file: Place | None = Field(None, description="The log; default: in the home.")
    log_format: Literal["plain", "json"] = Field(
        "plain", description="Of the lines that `start --foreground` writes to standard error."
    )
    job_timeout_seconds: Seconds = Field(
        86_400.0, ge=60, description="A job that runs longer fails, seconds."
    )
    shutdown_timeout_seconds: Seconds = Field(
        300.0, ge=10, description="The longest drain at a stop, seconds."
    )
    monitor_interval_seconds: Seconds = Field(
        15.0, ge=5, description="Between two looks at the resources in use, seconds."
    )
    max_job_history: Number = Field(1000, ge=10, description="Ended jobs that are kept.")
    default_thinking_method: str | None = Field(
        None, description="Put into every prompt whose score names no thinking_method."
    )
    config_file: Place | None = Field(None, description="The file that was read.")
    sheet_grace_seconds: Seconds = Field(
        10.0, ge=0, description="From a sheet's TERM to its KILL, seconds."
    )
    orphan_grace_seconds: Seconds = Field(
        30.0, ge=0, description="A worker goes on so long without a conductor, seconds."
    )
    output_limit_mb: Number = Field(
        1024, ge=1, description="Output that is kept of an attempt, MiB."
    )
    limits: LimitsConfig = Field(default_factory=LimitsConfig.model_construct)
    observer: ObserverConfig = Field(default_factory=ObserverConfig.model_construct)
    learning: LearningConfig = Field(default_factory=LearningConfig.model_construct)
    profiler: ProfilerConfig = Field(default_factory=ProfilerConfig.model_construct)
    preflight: PreflightConfig = Field(default_factory=PreflightConfig.model_construct)
    mcp_pool: McpPoolConfig = Field(default_factory=McpPoolConfig.model_construct)
    keyring: KeyringConfig = Field(default_factory=KeyringConfig.model_construct)
    notifications: Receivers = Field(
        [], description="Who is told of all jobs: as `notifications` of a score."
    )
    metrics: MetricsConfig = Field(default_factory=MetricsConfig.model_construct)
    traces: TracesConfig = Field(default_factory=TracesConfig.model_construct)
    web: WebConfig = Field(default_factory=WebConfig.model_construct)
    sandbox: SandboxConfig = Field(default_factory=SandboxConfig.model_construct)
    retention: RetentionConfig = Field(default_factory=RetentionConfig.model_construct)

    @property
    def supply(self) -> tuple[int, int, tuple[str, ...]]:
        """What the conductor's machine has for sheets beside processors: graphics processors, MB of
        memory, labels. What nodes a cluster will have nobody knows."""
        return machine.supply(self.gpus, self.resource_limits.max_memory_mb, self.labels)

    @property
    def kept_from(self) -> dict[str, Any] | None:
        """What all sheets are kept from, None where that is nothing."""
        return self.sandbox.as_map()

    @property
    def staged(self) -> tuple[str, ...]:
        """The executors whose nodes share no directory with the conductor."""
        return tuple(one.name for one in self.executors if one.shared_directory is None)

    @property
    def executor_names(self) -> tuple[str, ...]:
        """All that sheets may run on, first the one of those that say nothing else."""
        names = [self.executor, machine.LOCAL, *(one.name for one in self.executors)]
        return tuple(dict.fromkeys(names))

    @property
    def batch(self) -> tuple[str, ...]:
        """The executors on which a sheet may have a batch job of its own."""
        return tuple(one.name for one in self.executors if one.kind == "slurm")

    @model_validator(mode="after")
    def _executors(self) -> DaemonConfig:
        names = [machine.LOCAL, *(one.name for one in self.executors)]
        if len(set(names)) != len(names):
            raise ValueError("executors: two have one name")
        if self.executor not in names:
            raise ValueError(f"executor: {self.executor} is none of {', '.join(names)}")
        return self

    @field_validator("listen")
    @classmethod
    def _listen(cls, value: str | None) -> str | None:
        if value is not None:
            port_of(value)
        return value

    def at(self, home: Home) -> Home:
        """The home with its files at the places that are set here."""
        from marianne.home import Home as HomeClass

        return HomeClass(
            home.path,
            db=self.state_db_path or home.db,
            conductor_sock=self.socket.path or home.conductor_sock,
            pid_file=self.pid_file or home.pid_file,
            log=self.log_file or home.log,
        )
