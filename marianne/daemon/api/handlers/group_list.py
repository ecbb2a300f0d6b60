"""``group.list``: the groups, and who runs and waits in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marianne.daemon.api.request_context import Call
from marianne.daemon.shared import edge
from marianne.daemon.views import groups

if TYPE_CHECKING:
    from marianne.replies.groups import GroupList

MUTATING = False


class Params(edge.Params):
    """Nothing."""


def handle(call: Call, params: Params) -> GroupList:
    """``groups``, by name, as committed."""
    return {"groups": groups.shown(call.reader)}
