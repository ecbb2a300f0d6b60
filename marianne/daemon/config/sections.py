"""The sections of a conductor's configuration.

Every field says its unit and meaning in its description, which is also what ``marianne schema
config`` prints. Values are strict: ``yes`` is no number and ``"15"`` is none either.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)


def _expanded(path: Path) -> Path:
    path = path.expanduser()
    if not path.is_absolute():
        raise ValueError("must be an absolute path, or begin with '~/'")
    return path


def _octal(value: Any) -> Any:
    """``0o600`` is text in YAML 1.1, where only ``0600`` is octal."""
    if isinstance(value, str):
        try:
            return int(value, 8)
        except ValueError:
            raise ValueError("must be an octal number such as 0o600") from None
    return value


Place = Annotated[Path, Field(strict=False), AfterValidator(_expanded)]
"""An absolute path; ``~/`` is the user's home directory."""

Mode = Annotated[
    int,
    BeforeValidator(_octal),
    # Written as it is read: nobody knows 384.
    PlainSerializer(oct, when_used="json"),
    Field(json_schema_extra={"type": ["integer", "string"]}),
]
"""The mode of a file: a number, or octal text."""

LONGEST_SECONDS = 10 * 366 * 86_400.0
"""Ten years: what is longer is a typing error, and overflows timers and dates."""

MOST = 2**40
"""Of anything that is counted: MiB, bytes, processes, days."""

Seconds = Annotated[float, Field(allow_inf_nan=False, le=LONGEST_SECONDS)]
"""A time that passes at some time."""

Number = Annotated[int, Field(le=MOST)]
"""A number of things."""

Days = Annotated[float, Field(allow_inf_nan=False, le=3_660)]

Outcome = Literal["success", "failure"]


class Section(BaseModel):
    """Settings that belong together; nothing changes after loading.

    ``model_construct()`` holds the defaults without building a validator: a conductor on its
    defaults starts quicker by the time that takes. Everything else is checked.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    def values(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Every value by its dotted name, those of inner sections in their place."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Section):
                yield from value.values(f"{prefix}{name}.")
            else:
                yield prefix + name, value

    @classmethod
    def names(cls, prefix: str = "") -> Iterator[str]:
        """The dotted names of all fields that hold a value and no section."""
        for name, field in cls.model_fields.items():
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, Section):
                yield from kind.names(f"{prefix}{name}.")
            else:
                yield prefix + name


class ResourceLimitConfig(Section):
    """What the conductor and everything below it may use together."""

    max_memory_mb: Number = Field(8192, ge=512, description="Memory of the whole tree, in MiB.")
    max_processes: Number = Field(1000, ge=5, description="Processes of the whole tree.")
    max_api_calls_per_minute: Number = Field(
        60, ge=1, description="Sheets of agent instruments granted in a minute."
    )


class LimitsConfig(Section):
    """What the processes of a sheet may use together, where score, sheet and instrument say
    nothing else; see `limits` of a score."""

    max_memory_mb: Number | None = Field(None, ge=1, description="Memory, in MiB; more ends it.")
    high_memory_mb: Number | None = Field(
        None, ge=1, description="Memory, in MiB, from which on it is slowed down."
    )
    max_processes: Number | None = Field(None, ge=1, description="Processes and threads.")
    max_cpus: float | None = Field(
        None, ge=0.01, le=1024, allow_inf_nan=False, description="Processors' time."
    )
    cpu_weight: Number | None = Field(
        None, ge=1, le=10_000, description="Its share where processors are short; 100 is usual."
    )
    io_weight: Number | None = Field(
        None, ge=1, le=10_000, description="Its share where a disk is; 100 is usual."
    )
    best_effort: bool | None = Field(
        None, description="Run sheets also where one of these cannot be kept."
    )

    @property
    def given(self) -> dict[str, float]:
        """What is set."""
        every = {
            "max_memory_mb": self.max_memory_mb,
            "high_memory_mb": self.high_memory_mb,
            "max_processes": self.max_processes,
            "max_cpus": self.max_cpus,
            "cpu_weight": self.cpu_weight,
            "io_weight": self.io_weight,
            "best_effort": self.best_effort,
        }
        return {name: value for name, value in every.items() if value is not None}


class SocketConfig(Section):
    """Where clients reach the conductor."""

    path: Place | None = Field(
        None, description="The request socket; default: conductor.sock in the home."
    )
    permissions: Mode = Field(
        0o600, ge=0, le=0o777, description="Accepted; without effect: sockets are 0600."
    )
    backlog: Number = Field(
        5, ge=1, description="Accepted; without effect: as many wait as ZeroMQ needs."
    )


class ObserverConfig(Section):
    """The watch over a job's workspace. Accepted for compatibility; without effect."""

    enabled: bool = Field(True, description="Whether workspaces are watched.")
    watch_interval_seconds: Seconds = Field(2.0, ge=0.5, description="Between two looks, seconds.")
    snapshot_ttl_hours: Number = Field(168, ge=1, description="Age at which snapshots go, hours.")
    max_queue_size: Number = Field(1000, ge=100, description="Observations that may wait.")
    persist_events: bool = Field(True, description="Whether observations are kept on disk.")
    coalesce_window_seconds: Seconds = Field(
        2.0, ge=0, description="Changes of one file within it are one observation, seconds."
    )
    max_timeline_bytes: Number = Field(
        10_485_760, ge=4096, description="Size of a timeline, bytes."
    )
    exclude_patterns: list[str] = Field(
        default_factory=lambda: [".git/", "__pycache__/", "node_modules/", ".venv/", "*.pyc"],
        description="What is never watched.",
    )


class LearningConfig(Section):
    """What is learned from how jobs end."""

    enabled: bool = Field(True, description="Whether outcomes are recorded and used.")
    analyze_on: list[Outcome] = Field(
        default_factory=lambda: list[Outcome](("success", "failure")),
        min_length=1,
        description="The outcomes that are analysed, each named once.",
    )
    max_concurrent_analyses: int = Field(
        3, ge=1, le=20, description="Accepted; without effect: there is one analysis."
    )
    backend: dict[str, Any] | None = Field(
        None, description="Accepted; without effect: nothing is learned by a hosted model."
    )
    entropy_threshold: float = Field(
        0.1, ge=0, le=1, description="Diversity of patterns below which exploration rises, 0 to 1."
    )
    exploration_budget: float = Field(
        0.15, ge=0.05, le=0.5, description="Share of decisions that explore, 0.05 to 0.5."
    )
    entropy_check_interval_seconds: Seconds = Field(
        3600.0, ge=60, description="Between two checks of the diversity, seconds."
    )

    @model_validator(mode="after")
    def _each_once(self) -> LearningConfig:
        if len(set(self.analyze_on)) != len(self.analyze_on):
            raise ValueError("analyze_on names an outcome twice; name each once")
        return self


class AnomalyConfig(Section):
    """What the profiler calls an anomaly."""

    memory_spike_threshold: float = Field(
        1.5, gt=1, le=1e6, description="Growth of memory, as a factor."
    )
    memory_spike_window_seconds: Seconds = Field(30.0, gt=0, description="Within it, seconds.")
    runaway_cpu_threshold: float = Field(90.0, gt=0, le=100, description="CPU use, percent.")
    runaway_cpu_duration_seconds: Seconds = Field(60.0, gt=0, description="For so long, seconds.")


class ProfileRetentionConfig(Section):
    """How long the profiler's records are kept."""

    full_resolution_hours: Number = Field(24, ge=1, description="Every record, hours.")
    downsampled_days: Number = Field(7, ge=1, description="One record a minute, days.")
    events_days: Number = Field(30, ge=1, description="Events, days.")


class CorrelationConfig(Section):
    """How the profiler relates resources to outcomes."""

    interval_minutes: Number = Field(30, ge=1, description="Between two analyses, minutes.")
    min_sample_size: Number = Field(5, ge=1, description="Jobs below which nothing is concluded.")


class ProfilerConfig(Section):
    """Records of what sheets use. Accepted for compatibility; without effect."""

    enabled: bool = Field(True, description="Whether records are taken.")
    interval_seconds: Seconds = Field(5.0, ge=1, description="Between two records, seconds.")
    gpu_enabled: bool = Field(False, description="Whether GPUs are read.")
    strace_enabled: bool = Field(False, description="Whether system calls are counted.")
    jsonl_max_bytes: Number = Field(52_428_800, ge=4096, description="Size of the log, bytes.")
    anomaly: AnomalyConfig = Field(default_factory=AnomalyConfig.model_construct)
    retention: ProfileRetentionConfig = Field(
        default_factory=ProfileRetentionConfig.model_construct
    )
    correlation: CorrelationConfig = Field(default_factory=CorrelationConfig.model_construct)


class PreflightConfig(Section):
    """What is said about long prompts before anything is started for them; 0 disables. A token is
    four characters."""

    token_warning_threshold: Number = Field(50_000, ge=0, description="Warn from here, tokens.")
    token_error_threshold: Number = Field(150_000, ge=0, description="Refuse from here, tokens.")

    @property
    def tokens(self) -> tuple[int, int]:
        """From where on it is warned, and refused."""
        return self.token_warning_threshold, self.token_error_threshold

    @model_validator(mode="after")
    def _warns_first(self) -> PreflightConfig:
        warning, error = self.token_warning_threshold, self.token_error_threshold
        if warning and error and warning >= error:
            raise ValueError("token_warning_threshold must be below token_error_threshold")
        return self


class McpServerConfig(Section):
    """A tool server shared by sheets."""

    command: str = Field(min_length=1, description="Its command line.")
    transport: Literal["stdio", "unix", "tcp"] = Field("stdio", description="How it is reached.")
    socket: Place | None = Field(None, description="Its socket.")
    restart_policy: Literal["on-failure", "always", "never"] = Field(
        "on-failure", description="When it is started again."
    )


class McpPoolConfig(Section):
    """Tool servers. Accepted for compatibility; without effect."""

    servers: dict[str, McpServerConfig] = Field(default_factory=dict, description="By name.")


class KeyConfig(Section):
    """Where a key lies; never the key itself."""

    path: Place = Field(description="The file that holds it.")
    label: str | None = Field(None, description="What people call it.")


class InstrumentKeysConfig(Section):
    """The keys of one instrument."""

    keys: list[KeyConfig] = Field(min_length=1, description="At least one.")
    rotation: str = Field("round_robin", description="How the next one is chosen.")


class KeyringConfig(Section):
    """Keys by instrument. Accepted for compatibility; without effect."""

    instruments: dict[str, InstrumentKeysConfig] = Field(default_factory=dict)


class RetentionConfig(Section):
    """What of the past stays in the home, beside ``max_job_history``. Live jobs keep all."""

    event_days: Days = Field(30.0, gt=0, description="Events, days.")
    event_mb: Number = Field(256, ge=1, description="Events together, MiB; the oldest go first.")
    output_days: Days = Field(30.0, gt=0, description="Files of ended jobs, days.")
    output_mb: Number = Field(
        10_240,
        ge=1,
        description="Files of ended jobs together, MiB; the oldest go first, never the newest.",
    )


class SandboxConfig(Section):
    """What all sheets are kept from; a score can forbid more and allow nothing back."""

    write: list[str] | None = Field(
        None, description="The only places that sheets may write; `workspace` is the job's."
    )
    read: list[str] | None = Field(
        None, description="The only places, beside the system's, that they may read."
    )
    network: bool = Field(True, description="false: none, not even of this machine.")
    tmp: Literal["shared", "private"] = Field(
        "shared", description="private: empty, and gone with the sheet."
    )
    isolate: bool = Field(
        False, description="They see no process but their own, and nothing of this home."
    )
    when_missing: Literal["required", "best-effort"] | None = Field(
        None, description="Whether they run where a wall is missing; default: required."
    )

    def as_map(self) -> dict[str, Any] | None:
        """What is said; None where that is nothing."""
        every = {
            "write": self.write,
            "read": self.read,
            "network": self.network,
            "tmp": self.tmp,
            "isolate": self.isolate,
            "when_missing": self.when_missing,
        }
        fields = type(self).model_fields
        return {n: value for n, value in every.items() if value != fields[n].default} or None
