"""``daemon.health``: is the conductor alive?"""

from __future__ import annotations

from typing import Any

from actors import Future
from marianne.daemon.call import Call
from marianne.daemon.health import HealthChecker

Params = None
MUTATING = False


def handle(call: Call, params: None) -> Future[dict[str, Any]]:
    """The liveness map, from the health checker."""
    return call.context.health.within(call.deadline).call(HealthChecker.liveness)
