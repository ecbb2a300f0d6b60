"""``daemon.reload``: the configuration is read again and applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import Future
from marianne.daemon.api.reload import aside, reload
from marianne.daemon.api.request_context import Call

if TYPE_CHECKING:
    from marianne.replies.conductor import Reloaded

Params = None
MUTATING = False


def handle(call: Call, params: None) -> Future[Reloaded]:
    """What was applied and what needs a restart."""
    return aside(call.context, reload)
