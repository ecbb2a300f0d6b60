"""The sections of a conductor's configuration.

Every field says its unit and meaning in its description, which is also what ``marianne schema
config`` prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from marianne.daemon.config_setting import Section, section, setting

if TYPE_CHECKING:
    from pathlib import Path

    # What config_models makes of these names checks more than their type.
    Place = Path
    Mode = int
    Seconds = float

Outcome = Literal["success", "failure"]


class ResourceLimitConfig(Section):
    """What the conductor and everything below it may use together."""

    max_memory_mb: int = setting(8192, ge=512, description="Memory of the whole tree, in MiB.")
    max_processes: int = setting(1000, ge=5, description="Processes of the whole tree.")
    max_api_calls_per_minute: int = setting(
        60, ge=1, description="Sheets of agent instruments granted in a minute."
    )


class SocketConfig(Section):
    """Where clients reach the conductor."""

    path: Place | None = setting(
        None, description="The request socket; default: conductor.sock in the home."
    )
    permissions: Mode = setting(0o600, ge=0, le=0o777, description="Mode of the sockets, octal.")
    backlog: int = setting(
        5, ge=1, description="Connections that wait to be accepted; at least what ZeroMQ needs."
    )


class ObserverConfig(Section):
    """The watch over a job's workspace. Accepted for compatibility; without effect."""

    enabled: bool = setting(True, description="Whether workspaces are watched.")
    watch_interval_seconds: Seconds = setting(
        2.0, ge=0.5, description="Between two looks, seconds."
    )
    snapshot_ttl_hours: int = setting(168, ge=1, description="Age at which snapshots go, hours.")
    max_queue_size: int = setting(1000, ge=100, description="Observations that may wait.")
    persist_events: bool = setting(True, description="Whether observations are kept on disk.")
    coalesce_window_seconds: Seconds = setting(
        2.0, ge=0, description="Changes of one file within it are one observation, seconds."
    )
    max_timeline_bytes: int = setting(10_485_760, ge=4096, description="Size of a timeline, bytes.")
    exclude_patterns: list[str] = setting(
        factory=lambda: [".git/", "__pycache__/", "node_modules/", ".venv/", "*.pyc"],
        description="What is never watched.",
    )


class LearningConfig(Section):
    """What is learned from how jobs end."""

    enabled: bool = setting(True, description="Whether outcomes are recorded and used.")
    analyze_on: list[Outcome] = setting(
        factory=lambda: list[Outcome](("success", "failure")),
        min_length=1,
        description="The outcomes that are analysed, each named once.",
    )
    max_concurrent_analyses: int = setting(
        3, ge=1, le=20, description="Analyses at one time, at most; there is one."
    )
    entropy_threshold: float = setting(
        0.1, ge=0, le=1, description="Diversity of patterns below which exploration rises, 0 to 1."
    )
    exploration_budget: float = setting(
        0.15, ge=0.05, le=0.5, description="Share of decisions that explore, 0.05 to 0.5."
    )
    entropy_check_interval_seconds: Seconds = setting(
        3600.0, ge=60, description="Between two checks of the diversity, seconds."
    )

    def check(self) -> None:
        if len(set(self.analyze_on)) != len(self.analyze_on):
            raise ValueError("analyze_on names an outcome twice; name each once")


class AnomalyConfig(Section):
    """What the profiler calls an anomaly."""

    memory_spike_threshold: float = setting(1.5, gt=1, description="Growth of memory, as a factor.")
    memory_spike_window_seconds: Seconds = setting(30.0, gt=0, description="Within it, seconds.")
    runaway_cpu_threshold: float = setting(90.0, gt=0, le=100, description="CPU use, percent.")
    runaway_cpu_duration_seconds: Seconds = setting(60.0, gt=0, description="For so long, seconds.")


class ProfileRetentionConfig(Section):
    """How long the profiler's records are kept."""

    full_resolution_hours: int = setting(24, ge=1, description="Every record, hours.")
    downsampled_days: int = setting(7, ge=1, description="One record a minute, days.")
    events_days: int = setting(30, ge=1, description="Events, days.")


class CorrelationConfig(Section):
    """How the profiler relates resources to outcomes."""

    interval_minutes: int = setting(30, ge=1, description="Between two analyses, minutes.")
    min_sample_size: int = setting(5, ge=1, description="Jobs below which nothing is concluded.")


class ProfilerConfig(Section):
    """Records of what sheets use. Accepted for compatibility; without effect."""

    enabled: bool = setting(True, description="Whether records are taken.")
    interval_seconds: Seconds = setting(5.0, ge=1, description="Between two records, seconds.")
    gpu_enabled: bool = setting(False, description="Whether GPUs are read.")
    strace_enabled: bool = setting(False, description="Whether system calls are counted.")
    jsonl_max_bytes: int = setting(52_428_800, ge=4096, description="Size of the log, bytes.")
    anomaly: AnomalyConfig = section(AnomalyConfig)
    retention: ProfileRetentionConfig = section(ProfileRetentionConfig)
    correlation: CorrelationConfig = section(CorrelationConfig)


class PreflightConfig(Section):
    """What is said about long prompts before a sheet starts; 0 disables."""

    token_warning_threshold: int = setting(50_000, ge=0, description="Warn from here, tokens.")
    token_error_threshold: int = setting(150_000, ge=0, description="Refuse from here, tokens.")

    def check(self) -> None:
        warning, error = self.token_warning_threshold, self.token_error_threshold
        if warning and error and warning >= error:
            raise ValueError("token_warning_threshold must be below token_error_threshold")


class McpServerConfig(Section):
    """A tool server shared by sheets."""

    command: str = setting(min_length=1, description="Its command line.")
    transport: Literal["stdio", "unix", "tcp"] = setting("stdio", description="How it is reached.")
    socket: Place | None = setting(None, description="Its socket.")
    restart_policy: Literal["on-failure", "always", "never"] = setting(
        "on-failure", description="When it is started again."
    )


class McpPoolConfig(Section):
    """Tool servers. Accepted for compatibility; without effect."""

    servers: dict[str, McpServerConfig] = setting(factory=dict, description="By name.")


class KeyConfig(Section):
    """Where a key lies; never the key itself."""

    path: Place = setting(description="The file that holds it.")
    label: str | None = setting(None, description="What people call it.")


class InstrumentKeysConfig(Section):
    """The keys of one instrument."""

    keys: list[KeyConfig] = setting(min_length=1, description="At least one.")
    rotation: str = setting("round_robin", description="How the next one is chosen.")


class KeyringConfig(Section):
    """Keys by instrument. Accepted for compatibility; without effect."""

    instruments: dict[str, InstrumentKeysConfig] = setting(factory=dict)


class RetentionConfig(Section):
    """What of the past stays in the home, beside ``max_job_history``. Live jobs keep all."""

    event_days: float = setting(30.0, gt=0, allow_inf_nan=False, description="Events, days.")
    event_mb: int = setting(256, ge=1, description="Events together, MiB; the oldest go first.")
    output_days: float = setting(
        30.0, gt=0, allow_inf_nan=False, description="Files of ended jobs, days."
    )
    output_mb: int = setting(
        10_240, ge=1, description="Files of ended jobs together, MiB; the oldest go first."
    )
