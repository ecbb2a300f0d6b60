"""``daemon.tree``: the supervision tree as it is now."""

from __future__ import annotations

from typing import Any

from marianne.daemon.api.request_context import Call

Params = None
MUTATING = False


def handle(call: Call, params: None) -> list[dict[str, Any]]:
    """Each node: name, state, restarts, mailbox, last_crash, children."""
    return call.context.system.tree()
