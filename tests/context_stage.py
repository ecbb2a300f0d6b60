"""The context of a conductor in which no actor runs: a home, a machine with room, the executor."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TypeVar

from actors import System
from marianne.daemon.config import DaemonConfig
from marianne.daemon.config.sections import ResourceLimitConfig
from marianne.daemon.context import Context, StopRequest
from marianne.daemon.monitor import ResourceMonitor, ResourceSnapshot
from marianne.daemon.shared.storage import Storage
from marianne.daemon.worker.executor import LocalExecutor
from marianne.home import Home

C = TypeVar("C", bound=Context)


def context_in(
    place: Path,
    system: System,
    config: DaemonConfig | None = None,
    *,
    kind: type[C],
    memory_mb: int = 8_000,
    processes: int = 1_000,
) -> C:
    """A context of that kind, of a machine of 25 cores; 10 MB and one process are used."""
    limits = ResourceLimitConfig(max_memory_mb=memory_mb, max_processes=processes)
    resources = ResourceMonitor(limits)
    resources.snapshot = ResourceSnapshot(time.monotonic(), 10.0, 1, 0, 0)
    context = kind(
        system=system,
        home=Home(place),
        config=config or DaemonConfig(max_concurrent_sheets=25),
        owner="0" * 32,
        start_time=1,
        started_at=time.time(),
        stop=StopRequest(),
        resources=resources,
        storage=Storage(place),
    )
    context.executor = LocalExecutor(context)
    return context
