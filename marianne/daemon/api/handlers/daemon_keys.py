"""``daemon.keys``: keys were made or revoked; those that there are now are in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marianne.daemon import ports
from marianne.daemon.api.request_context import Call
from marianne.daemon.services.events import Events
from marianne.keys.store import Keys

if TYPE_CHECKING:
    from marianne.replies.conductor import KeysInForce

Params = None
MUTATING = False


def handle(call: Call, params: None) -> KeysInForce:
    """The clients that have one. Connections by a key that is no more end right after."""
    call.context.server.tell(ports.Listener.look)
    call.context.events.tell(Events.look)
    return {"clients": list(Keys(call.context.home.path).clients())}
