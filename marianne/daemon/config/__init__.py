"""The conductor's configuration: what it knows, and how it is put together.

A value comes from, in this order: a flag, the environment, a profile, the file, the default. The
environment's names are the fields' in capitals with two underscores for a dot:
``MARIANNE_RESOURCE_LIMITS__MAX_MEMORY_MB=4096``. The file is ``conductor.yaml`` in the home, else
in the user's configuration directory; a conductor reads it and never writes it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from marianne.daemon.config import machine
from marianne.daemon.config.metrics import MetricsConfig
from marianne.daemon.config.profiles import PROFILES
from marianne.daemon.config.sections import (
    LOCAL,
    ExecutorConfig,
    KeyringConfig,
    LearningConfig,
    McpPoolConfig,
    Number,
    ObserverConfig,
    Place,
    PreflightConfig,
    ProfilerConfig,
    ResourceLimitConfig,
    RetentionConfig,
    Seconds,
    Section,
    SocketConfig,
)
from marianne.daemon.shared.exceptions import ConfigError
from marianne.records import dataclass

if TYPE_CHECKING:
    from marianne.home import Home

__all__ = ["ConfigError", "DaemonConfig", "Loaded", "ResourceLimitConfig", "load_config"]

SLOTS = min(100, max(2, machine.processors()))
"""Processors that scripts may take at once unless it is set. Counted when this is imported: later a
conductor keeps itself to one of them."""

VARIABLE_PREFIX = "MARIANNE_"
PROFILE_VARIABLE = "MARIANNE_PROFILE"

RESTART_ONLY = frozenset(
    {
        "socket",
        "pid_file",
        "state_db_path",
        "state_backend_type",
        "log_file",
        "log_format",
        "executor",
        "executors",
    }
)
"""Fields that a reload leaves alone: a running conductor has them open."""


class DaemonConfig(Section):
    """Everything that can be set on a conductor. A place that is None is in its home."""

    resource_limits: ResourceLimitConfig = Field(
        default_factory=ResourceLimitConfig.model_construct
    )
    socket: SocketConfig = Field(default_factory=SocketConfig.model_construct)
    pid_file: Place | None = Field(None, description="The lock and the pids; default: in the home.")
    max_concurrent_jobs: int = Field(15, ge=1, le=50, description="Jobs that run at one time.")
    max_concurrent_sheets: int = Field(
        SLOTS, ge=1, le=100, description="Processors that the sheets of all jobs take at one time."
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
    executor: str = Field(LOCAL, description="Where sheets run; local, or a name of executors.")
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
    observer: ObserverConfig = Field(default_factory=ObserverConfig.model_construct)
    learning: LearningConfig = Field(default_factory=LearningConfig.model_construct)
    profiler: ProfilerConfig = Field(default_factory=ProfilerConfig.model_construct)
    preflight: PreflightConfig = Field(default_factory=PreflightConfig.model_construct)
    mcp_pool: McpPoolConfig = Field(default_factory=McpPoolConfig.model_construct)
    keyring: KeyringConfig = Field(default_factory=KeyringConfig.model_construct)
    metrics: MetricsConfig = Field(default_factory=MetricsConfig.model_construct)
    retention: RetentionConfig = Field(default_factory=RetentionConfig.model_construct)

    @property
    def supply(self) -> tuple[int, int, tuple[str, ...]]:
        """What there is for sheets beside processors: graphics processors, MB of memory, labels."""
        gpus = machine.gpus() if self.gpus is None else self.gpus
        memory = min(self.resource_limits.max_memory_mb, machine.memory_mb())
        return gpus, memory, tuple(self.labels)

    @model_validator(mode="after")
    def _executors(self) -> DaemonConfig:
        names = [LOCAL, *(one.name for one in self.executors)]
        if len(set(names)) != len(names):
            raise ValueError("executors: two have one name")
        if self.executor not in names:
            raise ValueError(f"executor: {self.executor} is none of {', '.join(names)}")
        return self

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


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, and for each dotted name where its value comes from.

    ``origins``: *default*, *file*, *profile*, *env* or *flag*. ``notes`` says what a person should
    know: fields that are set and have no effect, where they are set and why.
    """

    config: DaemonConfig
    origins: dict[str, str]
    notes: tuple[str, ...] = ()


def load_config(
    home: Home, path: Path | None = None, flags: Mapping[str, Any] | None = None
) -> Loaded:
    """The configuration for ``home``, from every source; ConfigError if one does not fit.

    Places that nobody set are those of the home.
    ``path`` replaces the places where a file is looked for, and must exist. ``flags`` are values
    by dotted name (``resource_limits.max_memory_mb``), those that are None are not set; ``profile``
    names a profile.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    named = given.pop("profile", None)
    profile = str(named) if named is not None else os.environ.get(PROFILE_VARIABLE) or None
    file, found_by = _find(home, path)
    variables = _variables()
    if file is None and profile is None and not variables and not given:
        config = _placed(DaemonConfig.model_construct(), home)
        return Loaded(config, dict.fromkeys(DaemonConfig.names(), "default"))
    from marianne.daemon.config import file as config_file

    layers: list[config_file.Layer] = []
    if file is not None:
        layers.append(config_file.read(file))
        layers.append(config_file.Layer(found_by, {"config_file": str(file)}))
    if profile is not None:
        layers.append(config_file.Layer("profile", config_file.profile(profile, PROFILES)))
    layers.append(config_file.Layer("env", variables))
    layers.append(config_file.Layer("flag", given))
    merged, set_by = config_file.merge(layers)
    config = _placed(merged, home)
    return Loaded(
        config,
        {name: config_file.origin(name, set_by) for name in DaemonConfig.names()},
        config_file.notes(config, set_by),
    )


def changed(old: DaemonConfig, new: DaemonConfig) -> tuple[list[str], list[str]]:
    """The dotted names that differ: those a reload can apply, and those that need a restart."""
    before, after = dict(old.values()), dict(new.values())
    differ = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    differ = [name for name in differ if name != "config_file"]
    later = [name for name in differ if name.split(".")[0] in RESTART_ONLY]
    return [name for name in differ if name not in later], later


def variable_of(name: str) -> str:
    """The environment variable that sets the field of this dotted name."""
    return VARIABLE_PREFIX + name.upper().replace(".", "__")


def _placed(config: DaemonConfig, home: Home) -> DaemonConfig:
    places = config.at(home)
    return config.model_copy(
        update={
            "socket": config.socket.model_copy(update={"path": places.conductor_sock}),
            "pid_file": places.pid_file,
            "state_db_path": places.db,
            "log_file": places.log,
        }
    )


def _find(home: Home, path: Path | None) -> tuple[Path | None, str]:
    """The file to read, and what named it."""
    if path is not None:
        return Path(os.path.abspath(path)), "flag"
    given = os.environ.get(variable_of("config_file"))
    if given:
        return Path(os.path.abspath(os.path.expanduser(given))), "env"
    from marianne.home import config_places

    places = config_places(home)
    return next((place for place in places if os.path.lexists(place)), None), "default"


def _variables() -> dict[str, str]:
    """Fields by dotted name that the environment sets. Other variables may begin alike."""
    if not any(name.startswith(VARIABLE_PREFIX) for name in os.environ):
        return {}
    known = {variable_of(name): name for name in DaemonConfig.names() if name != "config_file"}
    return {known[name]: value for name, value in os.environ.items() if name in known}
