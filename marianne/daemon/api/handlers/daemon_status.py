"""``daemon.status``: the conductor at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.jobs.actor import ManagerActor

if TYPE_CHECKING:
    from marianne.replies.conductor import ConductorStatus

Params = None
MUTATING = False


def handle(call: Call, params: None) -> Future[ConductorStatus]:
    """DaemonStatus plus heart_pid, ready, pressure, disk and home."""
    return call.context.manager.within(call.deadline).call(ManagerActor.get_daemon_status)
