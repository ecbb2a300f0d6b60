"""The conductor's package says exactly the documented names, and costs nothing until asked."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from dataclasses import fields
from importlib.util import find_spec

import pytest

from marianne import daemon

DOCUMENTED = [
    "BackpressureController",
    "PressureLevel",
    "DaemonConfig",
    "HealthChecker",
    "JobService",
    "JobManager",
    "JobMeta",
    "ResourceMonitor",
    "ResourceSnapshot",
    "ConsoleOutput",
    "NullOutput",
    "OutputProtocol",
    "StructuredOutput",
    "ProcessGroupManager",
    "DaemonProcess",
    "GlobalSheetScheduler",
    "SchedulerStats",
    "SheetEntry",
    "SheetInfo",
    "DaemonStatus",
    "JobRequest",
    "JobResponse",
]

# Documented members of what this package's judgement is made of: name, parameters in order.
MEMBERS = {
    "BackpressureController": {
        "current_level": [],
        "current_delay": None,
        "can_start_sheet": [],
        "should_accept_job": [],
        "rejection_reason": [],
        "estimate_job_resource_needs": ["job_config_hash"],
    },
    "GlobalSheetScheduler": {
        "set_rate_limiter": ["rate_limiter"],
        "set_backpressure": ["backpressure"],
        "register_job": ["job_id", "sheets", "dependencies"],
        "deregister_job": ["job_id"],
        "next_sheet": [],
        "mark_complete": ["job_id", "sheet_num", "success"],
        "get_stats": [],
        "active_count": None,
        "queued_count": None,
    },
    "JobManager": {
        "apply_config": ["new_config"],
        "update_job_config_metadata": ["job_id"],
        "submit_job": ["request", "request_id"],
        "get_job_status": ["job_id", "first", "last"],
        "pause_job": ["job_id", "request_id"],
        "resume_job": ["job_id", "workspace", "config_path", "no_reload", "request_id"],
        "modify_job": ["job_id", "config_path", "workspace", "score", "dry_run", "request_id"],
        "cancel_job": ["job_id", "request_id"],
        "list_jobs": ["statuses", "limit", "cursor"],
        "clear_jobs": ["statuses", "older_than_seconds", "job_ids", "request_id"],
        "clear_rate_limits": ["instrument", "request_id"],
        "get_job_errors": ["job_id", "limit"],
        "get_diagnostic_report": ["job_id"],
        "get_execution_history": ["job_id", "sheet_num", "limit"],
        "recover_job": ["job_id", "sheet_num", "dry_run", "request_id"],
        "get_daemon_status": [],
        "shutdown": ["graceful"],
        "wait_for_shutdown": [],
        **dict.fromkeys(("uptime_seconds", "shutting_down", "running_count", "active_job_count")),
        **dict.fromkeys(("failure_rate_elevated", "notifications_degraded", "scheduler")),
        **dict.fromkeys(("rate_coordinator", "backpressure", "learning_hub", "event_bus")),
        "observer_recorder": None,
    },
    "JobService": {
        "notifications_degraded": None,
        "pause_job": ["job_id", "workspace", "reason"],
        "get_status": ["job_id", "workspace", "first", "last"],
    },
    "HealthChecker": {
        "liveness": [],
        "readiness": [],
        "on_job_completed": [],
        "start_periodic_checks": [],
        "stop_periodic_checks": [],
    },
    "ResourceMonitor": {
        "check_now": [],
        "seconds_since_last_check": None,
        "is_accepting_work": [],
        "max_memory_mb": None,
        "current_memory_mb": [],
        "is_degraded": None,
        "update_limits": ["new_limits"],
        "set_manager": ["manager"],
    },
}

# Documented fields of the plain data among them, in order.
FIELDS = {
    "ResourceSnapshot": "timestamp memory_usage_mb child_process_count running_jobs active_sheets"
    " zombie_pids probe_failed",
    "SheetInfo": "job_id sheet_num backend_type model estimated_cost dag_depth job_priority"
    " retries_so_far",
    "SheetEntry": "priority submitted_at info rate_limit_skip_count",
    "SchedulerStats": "queued active max_concurrent per_job_running per_job_queued",
}


def test_all_names_are_the_documented_ones() -> None:
    assert sorted(DOCUMENTED) == daemon.__all__ == sorted(daemon.__all__)
    assert len(daemon.__all__) == 22


@pytest.mark.parametrize("name", DOCUMENTED)
def test_each_name_is_found_with_a_docstring(name: str) -> None:
    if find_spec(f"marianne.daemon.{daemon._MODULES[name]}") is None:
        pytest.skip("its module has not landed")
    assert inspect.getdoc(getattr(daemon, name))


@pytest.mark.parametrize(
    ("owner", "member"), [(owner, member) for owner, named in MEMBERS.items() for member in named]
)
def test_each_member_has_its_parameters_and_a_docstring(owner: str, member: str) -> None:
    found = inspect.getattr_static(getattr(daemon, owner), member)
    assert inspect.getdoc(found)
    wanted = MEMBERS[owner][member]
    if wanted is None:
        assert isinstance(found, property)
    else:
        positional = [
            name
            for name, parameter in inspect.signature(found).parameters.items()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and name != "self"
        ]
        assert positional == wanted


@pytest.mark.parametrize("name", FIELDS)
def test_plain_data_has_the_documented_fields_in_order(name: str) -> None:
    assert [field.name for field in fields(getattr(daemon, name))] == FIELDS[name].split()


def test_a_star_import_gives_exactly_the_names() -> None:
    seen: dict[str, object] = {}
    exec("from marianne.daemon import *", seen)
    assert sorted(seen.keys() - {"__builtins__"}) == sorted(DOCUMENTED)


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        importlib.import_module("marianne.daemon").Nothing  # noqa: B018


def test_the_package_alone_imports_nothing_of_the_conductor() -> None:
    seen = subprocess.run(
        [sys.executable, "-c", "import marianne.daemon, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"actors", "pydantic", "zmq", "structlog"} & set(seen)
