"""Every documented field with its default and bounds, and profiles that fit."""

from typing import Any

import pytest
from pydantic import ValidationError

from marianne.daemon.config import RESTART_ONLY, DaemonConfig, changed, machine
from marianne.daemon.config.profiles import PROFILES
from marianne.home import Home


def nested(name: str, value: Any) -> dict[str, Any]:
    for part in reversed(name.split(".")):
        value = {part: value}
    return value  # type: ignore[no-any-return]


def value_of(config: Any, name: str) -> Any:
    for part in name.split("."):
        config = getattr(config, part)
    return config


DEFAULTS = {
    "resource_limits.max_memory_mb": 8192,
    "resource_limits.max_processes": 1000,
    "resource_limits.max_api_calls_per_minute": 60,
    "socket.path": None,
    "socket.permissions": 0o600,
    "socket.backlog": 5,
    "pid_file": None,
    "max_concurrent_jobs": 15,
    "max_concurrent_sheets": min(100, max(2, machine.processors())),
    "max_concurrent_agents": 25,
    "gpus": None,
    "labels": [],
    "state_backend_type": "sqlite",
    "state_db_path": None,
    "log_level": "info",
    "log_file": None,
    "job_timeout_seconds": 86400,
    "shutdown_timeout_seconds": 300,
    "monitor_interval_seconds": 15,
    "max_job_history": 1000,
    "default_thinking_method": None,
    "config_file": None,
    "sheet_grace_seconds": 10,
    "orphan_grace_seconds": 30,
    "output_limit_mb": 1024,
    "observer.enabled": True,
    "observer.watch_interval_seconds": 2.0,
    "observer.snapshot_ttl_hours": 168,
    "observer.max_queue_size": 1000,
    "observer.persist_events": True,
    "observer.coalesce_window_seconds": 2.0,
    "observer.max_timeline_bytes": 10485760,
    "observer.exclude_patterns": [".git/", "__pycache__/", "node_modules/", ".venv/", "*.pyc"],
    "learning.enabled": True,
    "learning.analyze_on": ["success", "failure"],
    "learning.max_concurrent_analyses": 3,
    "learning.entropy_threshold": 0.1,
    "learning.exploration_budget": 0.15,
    "learning.entropy_check_interval_seconds": 3600,
    "profiler.enabled": True,
    "profiler.interval_seconds": 5.0,
    "profiler.gpu_enabled": False,
    "profiler.strace_enabled": False,
    "profiler.anomaly.memory_spike_threshold": 1.5,
    "profiler.anomaly.memory_spike_window_seconds": 30,
    "profiler.anomaly.runaway_cpu_threshold": 90,
    "profiler.anomaly.runaway_cpu_duration_seconds": 60,
    "profiler.retention.full_resolution_hours": 24,
    "profiler.retention.downsampled_days": 7,
    "profiler.retention.events_days": 30,
    "profiler.correlation.interval_minutes": 30,
    "profiler.correlation.min_sample_size": 5,
    "preflight.token_warning_threshold": 50000,
    "preflight.token_error_threshold": 150000,
    "mcp_pool.servers": {},
    "keyring.instruments": {},
}

# Name, least and greatest value (None: no such bound), and a step over it.
BOUNDS = [
    ("resource_limits.max_memory_mb", 512, None, 1),
    ("resource_limits.max_processes", 5, None, 1),
    ("resource_limits.max_api_calls_per_minute", 1, None, 1),
    ("socket.permissions", 0, 0o777, 1),
    ("socket.backlog", 1, None, 1),
    ("max_concurrent_jobs", 1, 50, 1),
    ("max_concurrent_sheets", 1, 100, 1),
    ("max_concurrent_agents", 1, 100, 1),
    ("gpus", 0, 1024, 1),
    ("job_timeout_seconds", 60, None, 0.1),
    ("shutdown_timeout_seconds", 10, None, 0.1),
    ("monitor_interval_seconds", 5, None, 0.1),
    ("max_job_history", 10, None, 1),
    ("sheet_grace_seconds", 0, None, 0.1),
    ("orphan_grace_seconds", 0, None, 0.1),
    ("output_limit_mb", 1, None, 1),
    ("observer.watch_interval_seconds", 0.5, None, 0.1),
    ("observer.snapshot_ttl_hours", 1, None, 1),
    ("observer.max_queue_size", 100, None, 1),
    ("observer.coalesce_window_seconds", 0, None, 0.1),
    ("observer.max_timeline_bytes", 4096, None, 1),
    ("learning.max_concurrent_analyses", 1, 20, 1),
    ("learning.entropy_threshold", 0, 1, 0.01),
    ("learning.exploration_budget", 0.05, 0.5, 0.01),
    ("learning.entropy_check_interval_seconds", 60, None, 0.1),
    ("profiler.interval_seconds", 1, None, 0.1),
]


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_documented_field_has_its_default(name: str) -> None:
    assert value_of(DaemonConfig(), name) == DEFAULTS[name]


@pytest.mark.parametrize(("name", "least", "greatest", "step"), BOUNDS)
def test_a_field_takes_its_bounds_and_nothing_beyond(
    name: str, least: float, greatest: float | None, step: float
) -> None:
    for fits in (least, greatest):
        if fits is not None:
            assert value_of(DaemonConfig(**nested(name, fits)), name) == fits
    with pytest.raises(ValidationError):
        DaemonConfig(**nested(name, least - step))
    if greatest is not None:
        with pytest.raises(ValidationError):
            DaemonConfig(**nested(name, greatest + step))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("max_concurrent_jobs", True),
        ("max_concurrent_jobs", "15"),
        ("max_concurrent_jobs", 1.0),
        ("job_timeout_seconds", float("inf")),
        ("job_timeout_seconds", float("nan")),
        ("log_level", "INFO"),
        ("log_level", "verbose"),
        ("state_backend_type", "json"),
        ("observer.enabled", "yes"),
        ("socket.permissions", "rw-------"),
        ("log_file", "relative/conductor.log"),
        ("learning.analyze_on", []),
        ("learning.analyze_on", ["success", "success"]),
        ("learning.analyze_on", ["always"]),
        ("preflight", {"token_warning_threshold": 5, "token_error_threshold": 5}),
        ("keyring.instruments", {"x": {"keys": []}}),
        ("keyring.instruments", {"x": {"keys": [{"path": "/k", "value": "secret"}]}}),
        ("nonsense", 1),
        ("learning.nonsense", 1),
    ],
)
def test_what_does_not_fit_is_refused(name: str, wrong: Any) -> None:
    with pytest.raises(ValidationError):
        DaemonConfig(**nested(name, wrong))


def test_a_zero_threshold_disables_its_side() -> None:
    for thresholds in ((0, 5), (9, 0), (0, 0)):
        names = ("token_warning_threshold", "token_error_threshold")
        given = dict(zip(names, thresholds, strict=True))
        DaemonConfig(preflight=given)


def test_octal_text_is_a_mode() -> None:
    found = DaemonConfig(socket={"permissions": "0o640"})
    assert found.socket.permissions == 0o640
    assert found.model_dump(mode="json")["socket"]["permissions"] == "0o640"


def test_a_path_may_begin_with_the_users_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    found = DaemonConfig(log_file="~/c.log")
    assert str(found.log_file) == "/home/me/c.log"


def test_the_defaults_made_without_a_validator_are_the_same() -> None:
    assert DaemonConfig.model_construct() == DaemonConfig()
    assert DaemonConfig(**vars(DaemonConfig.model_construct())) == DaemonConfig()
    assert DaemonConfig(**DaemonConfig().model_dump(mode="json")) == DaemonConfig()


def test_two_configurations_share_no_list() -> None:
    DaemonConfig().observer.exclude_patterns.append("mine")
    assert "mine" not in DaemonConfig().observer.exclude_patterns


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_fits(name: str) -> None:
    DaemonConfig(**PROFILES[name])


def test_the_profiles_are_the_documented_ones() -> None:
    dev, intensive, minimal = (
        DaemonConfig(**PROFILES[name]) for name in ("dev", "intensive", "minimal")
    )
    assert (dev.log_level, dev.max_concurrent_jobs) == ("debug", 2)
    assert (dev.profiler.strace_enabled, dev.profiler.interval_seconds) == (True, 2.0)
    assert intensive.job_timeout_seconds == 48 * 3600
    assert intensive.resource_limits.max_memory_mb == 16384
    assert (
        intensive.resource_limits.max_processes == 2 * DaemonConfig().resource_limits.max_processes
    )
    assert minimal.max_concurrent_jobs == 2
    assert not minimal.profiler.enabled
    assert not minimal.learning.enabled


def test_every_field_is_described_in_the_schema() -> None:
    schema = DaemonConfig.model_json_schema()
    models = [schema, *schema["$defs"].values()]
    bare = [
        f"{model['title']}.{name}"
        for model in models
        for name, field in model["properties"].items()
        if "description" not in field and "$ref" not in str(field)
    ]
    assert bare == []


def test_a_reload_applies_what_it_can_and_names_the_rest() -> None:
    old = DaemonConfig()
    new = DaemonConfig(
        max_concurrent_sheets=7,
        resource_limits={"max_processes": 9},
        socket={"backlog": 9},
        pid_file="/run/c.pid",
        config_file="/etc/c.yaml",
    )
    hot, later = changed(old, new)
    assert sorted(hot) == ["max_concurrent_sheets", "resource_limits.max_processes"]
    assert sorted(later) == ["pid_file", "socket.backlog"]
    assert changed(new, new) == ([], [])


def test_the_tables_of_names_hold_real_names() -> None:
    assert set(DaemonConfig.model_fields) >= RESTART_ONLY


def test_files_are_at_the_places_that_are_set() -> None:
    home = Home("/var/m")
    assert DaemonConfig().at(home).db == home.db
    moved = DaemonConfig(
        state_db_path="/data/s.db",
        socket={"path": "/run/m/c.sock"},
        pid_file="/run/m/c.pid",
        log_file="/var/log/m.log",
    ).at(home)
    assert str(moved.path) == "/var/m"
    assert str(moved.db) == "/data/s.db"
    assert str(moved.events_sock) == "/run/m/events.sock"
    assert str(moved.pid_file) == "/run/m/c.pid"
    assert str(moved.log) == "/var/log/m.log"
