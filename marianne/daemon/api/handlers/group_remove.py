"""``group.remove``: a group is no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.shared import edge

if TYPE_CHECKING:
    from marianne.replies.groups import Group

MUTATING = True


class Params(edge.Params):
    """A group without jobs that are not over."""

    name: edge.Name


def handle(call: Call, params: Params) -> Future[Group]:
    """The group as it was, with ``parallel`` nil."""
    manager = call.context.manager.within(call.deadline)
    return manager.call(ManagerActor.change_group, params.name, None, call.request_id)
