"""``daemon.shutdown``: end the conductor, in one of the ways of docs/operations.md."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from marianne.daemon.call import Call

MUTATING = False


class Params(BaseModel):
    """``drain_seconds`` bounds a drain; None is the configured shutdown timeout."""

    mode: Literal["stop", "drain", "cancel", "force", "restart"] = "stop"
    drain_seconds: float | None = Field(None, ge=0)


def handle(call: Call, params: Params) -> dict[str, Any]:
    """Answers at once; the client then waits until the lock is free."""
    call.context.stop.ask(params.mode, params.drain_seconds)
    return {"stopping": True}
