"""``daemon.health``: is the conductor alive?"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from marianne.daemon.api.request_context import Call
from marianne.daemon.at_once import at_once
from marianne.daemon.health import HealthChecker

if TYPE_CHECKING:
    from marianne.replies.conductor import Health

Params = None
MUTATING = False
QUICK = True


def handle(call: Call, params: None) -> Health:
    """The liveness map."""
    checker = HealthChecker(call.context.face, call.context.resources)
    return cast("Health", at_once(checker.liveness()))
