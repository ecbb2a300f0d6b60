"""``daemon.reload``: the configuration is read again and applied."""

from __future__ import annotations

from typing import Any

from actors import Future
from marianne.daemon.call import Call
from marianne.daemon.reloading import aside, reload

Params = None
MUTATING = False


def handle(call: Call, params: None) -> Future[dict[str, Any]]:
    """What was applied and what needs a restart."""
    return aside(call.context, reload)
