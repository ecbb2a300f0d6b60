"""``daemon.config``: the settings in force and where each comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marianne.daemon.api.request_context import Call

if TYPE_CHECKING:
    from marianne.replies.conductor import ConfigInForce

Params = None
MUTATING = False


def handle(call: Call, params: None) -> ConfigInForce:
    """``config`` as nested maps, ``origin`` by dotted name."""
    return {
        "config": call.context.config.model_dump(mode="json"),
        "origin": dict(call.context.origins),
    }
