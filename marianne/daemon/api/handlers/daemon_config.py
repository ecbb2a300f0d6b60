"""``daemon.config``: the settings in force and where each comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marianne.daemon.api.request_context import Call
from marianne.daemon.config.secret import masked
from marianne.daemon.shared import edge

if TYPE_CHECKING:
    from marianne.replies.conductor import ConfigInForce

MUTATING = False


class Params(edge.Params):
    """``reveal``: what lets in whoever knows it, too, such as the address of a webhook."""

    reveal: bool = False


def handle(call: Call, params: Params) -> ConfigInForce:
    """``config`` as nested maps, ``origin`` by dotted name."""
    config = call.context.config.model_dump(mode="json")
    return {
        "config": config if params.reveal else masked(config),
        "origin": dict(call.context.origins),
    }
