"""``daemon.ready``: does the conductor take new jobs?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.services.health import HealthActor

if TYPE_CHECKING:
    from marianne.replies.conductor import Readiness

Params = None
MUTATING = False


def handle(call: Call, params: None) -> Future[Readiness]:
    """The readiness map, from the health checker."""
    return call.context.health.within(call.deadline).call(HealthActor.readiness)
