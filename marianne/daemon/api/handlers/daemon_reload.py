"""``daemon.reload``: the configuration is read again and applied."""

from __future__ import annotations

from typing import Any

from actors import Future
from marianne.daemon.api.reload import aside, reload
from marianne.daemon.api.request_context import Call

Params = None
MUTATING = False


def handle(call: Call, params: None) -> Future[dict[str, Any]]:
    """What was applied and what needs a restart."""
    return aside(call.context, reload)
