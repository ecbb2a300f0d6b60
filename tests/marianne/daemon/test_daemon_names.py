"""The conductor's package says exactly the documented names, and costs nothing until asked."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from dataclasses import MISSING, fields
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


@pytest.mark.parametrize("name", FIELDS)
def test_plain_data_has_the_documented_fields_in_order(name: str) -> None:
    """What comes behind them, a program need not give."""
    found, documented = fields(getattr(daemon, name)), FIELDS[name].split()
    assert [field.name for field in found][: len(documented)] == documented
    assert all(field.default is not MISSING for field in found[len(documented) :])


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
