"""``daemon.drain_node``: a node gets no more sheets, or gets some again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marianne.daemon.api.request_context import Call
from marianne.daemon.shared import edge
from marianne.daemon.shared.refusal import Refused

if TYPE_CHECKING:
    from marianne.replies.executors import Drained

MUTATING = False  # said twice it changes nothing more, and a restart forgets it


class Params(edge.Params):
    """``node`` by its name; ``draining`` false gives it sheets again."""

    node: edge.Name
    draining: bool = True


def handle(call: Call, params: Params) -> Drained:
    """What runs there goes on. Refuses with ``not_found`` a node that there is not."""
    if not call.context.executor.drain(params.node, on=params.draining):
        raise Refused(
            "not_found", f"no node '{params.node}'", hint="`marianne executors` lists them"
        )
    return {"node": params.node, "draining": params.draining}
