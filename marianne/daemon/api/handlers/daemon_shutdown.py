"""``daemon.shutdown``: end the conductor, in one of the ways of docs/operations.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from actors import Future
from marianne.daemon.api.reload import aside, read
from marianne.daemon.api.request_context import Call
from marianne.daemon.context import Context
from marianne.daemon.services.stopping import keep_order
from marianne.daemon.shared import edge

if TYPE_CHECKING:
    from marianne.replies.conductor import Stopping

MUTATING = False

ASKED = "a client asked"


class Params(edge.Params):
    """``drain_seconds`` bounds a drain; None is the configured shutdown timeout."""

    mode: Literal["stop", "drain", "cancel", "force", "restart"] = "stop"
    drain_seconds: edge.Seconds | None = None


def handle(call: Call, params: Params) -> Future[Stopping]:
    """Answers when the wish is on disk; the client then waits until the lock is free.

    ``kept`` is False where the disk failed: then it is carried out unless the conductor dies.
    A restart is refused with ``invalid_params`` where the next conductor could not start.
    """
    if params.mode == "restart":
        return aside(call.context, _restart)
    return aside(call.context, lambda context: _stop(context, params))


def _restart(context: Context) -> Stopping:
    read(context)
    context.stop.ask("restart", why=ASKED)
    return {"stopping": True, "kept": True}  # one that dies first is replaced all the same


def _stop(context: Context, params: Params) -> Stopping:
    kept = keep_order(context, params.mode, params.drain_seconds)
    context.stop.ask(params.mode, params.drain_seconds, ASKED)
    return {"stopping": True, "kept": kept}
