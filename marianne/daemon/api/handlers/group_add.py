"""``group.add``: a new group, or another limit of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.shared import edge

if TYPE_CHECKING:
    from marianne.replies.groups import Group

MUTATING = True

GroupName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]


class Params(edge.Params):
    """``parallel`` jobs of it run at once. A name has letters, digits, ``_``, ``.`` and ``-``."""

    name: GroupName
    parallel: int = Field(1, ge=1, le=1_000)


def handle(call: Call, params: Params) -> Future[Group]:
    """The group."""
    manager = call.context.manager.within(call.deadline)
    return manager.call(ManagerActor.change_group, params.name, params.parallel, call.request_id)
