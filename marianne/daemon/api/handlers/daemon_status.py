"""``daemon.status``: the conductor at a glance."""

from __future__ import annotations

from typing import Any

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.jobs.actor import ManagerActor

Params = None
MUTATING = False


def handle(call: Call, params: None) -> Future[dict[str, Any]]:
    """DaemonStatus plus heart_pid, ready, pressure, disk and home."""
    return call.context.manager.within(call.deadline).call(ManagerActor.get_daemon_status)
