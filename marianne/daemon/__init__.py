"""The conductor: the documented names, each imported when it is first asked for.

A client that only wants a type does not pay for the conductor's imports (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = [
    "BackpressureController",
    "ConsoleOutput",
    "DaemonConfig",
    "DaemonProcess",
    "DaemonStatus",
    "GlobalSheetScheduler",
    "HealthChecker",
    "JobManager",
    "JobMeta",
    "JobRequest",
    "JobResponse",
    "JobService",
    "NullOutput",
    "OutputProtocol",
    "PressureLevel",
    "ProcessGroupManager",
    "ResourceMonitor",
    "ResourceSnapshot",
    "SchedulerStats",
    "SheetEntry",
    "SheetInfo",
    "StructuredOutput",
]

_HOMES = {
    "backpressure": ("BackpressureController", "PressureLevel"),
    "config": ("DaemonConfig",),
    "health": ("HealthChecker",),
    "job_service": ("JobService",),
    "jobmeta": ("JobMeta",),
    "manager": ("JobManager",),
    "monitor": ("ResourceMonitor", "ResourceSnapshot"),
    "output": ("ConsoleOutput", "NullOutput", "OutputProtocol", "StructuredOutput"),
    "pgroup": ("ProcessGroupManager",),
    "process": ("DaemonProcess",),
    "scheduler": ("GlobalSheetScheduler", "SchedulerStats", "SheetEntry", "SheetInfo"),
    "types": ("DaemonStatus", "JobRequest", "JobResponse"),
}

_MODULES = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
