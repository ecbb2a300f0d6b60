"""``daemon.health``: is the conductor alive?"""

from __future__ import annotations

from typing import Any

from marianne.daemon.api.request_context import Call
from marianne.daemon.at_once import at_once
from marianne.daemon.health import HealthChecker

Params = None
MUTATING = False
QUICK = True


def handle(call: Call, params: None) -> dict[str, Any]:
    """The liveness map."""
    return at_once(HealthChecker(call.context.face, call.context.resources).liveness())
