"""``daemon.shutdown``: end the conductor, in one of the ways of docs/operations.md."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from actors import Future
from marianne.daemon.call import Call
from marianne.daemon.context import Context
from marianne.daemon.reloading import aside, read

MUTATING = False


class Params(BaseModel):
    """``drain_seconds`` bounds a drain; None is the configured shutdown timeout."""

    mode: Literal["stop", "drain", "cancel", "force", "restart"] = "stop"
    drain_seconds: float | None = Field(None, ge=0)


def handle(call: Call, params: Params) -> dict[str, Any] | Future[dict[str, Any]]:
    """Answers at once; the client then waits until the lock is free.

    A restart is refused with ``invalid_params`` where the next conductor could not start.
    """
    if params.mode == "restart":
        return aside(call.context, _restart)
    call.context.stop.ask(params.mode, params.drain_seconds)
    return {"stopping": True}


def _restart(context: Context) -> dict[str, Any]:
    read(context)
    context.stop.ask("restart", None)
    return {"stopping": True}
