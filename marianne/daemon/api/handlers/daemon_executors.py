"""``daemon.executors``: where sheets run, and how it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.shared import edge

if TYPE_CHECKING:
    from marianne.replies.executors import Executor

MUTATING = False


class Params(edge.Params):
    """``check`` has every node that is reached run a program that does nothing."""

    check: bool = False


def handle(call: Call, params: Params) -> Future[list[Executor]]:
    """Each executor with its nodes."""
    return call.context.executor.describe(check=params.check)
