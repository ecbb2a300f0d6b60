"""``daemon.tree``: the supervision tree as it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marianne.daemon.api.request_context import Call

if TYPE_CHECKING:
    from actors.inspect import TreeNode

Params = None
MUTATING = False


def handle(call: Call, params: None) -> list[TreeNode]:
    """Each node: name, state, restarts, mailbox, last_crash, children."""
    return call.context.system.tree()
