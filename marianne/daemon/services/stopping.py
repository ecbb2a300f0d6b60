"""A wish to stop, on its way to the disk."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from marianne.daemon.shared.log import get_logger
from marianne.run import stop_order

if TYPE_CHECKING:
    from marianne.daemon.context import Context

log = get_logger(__name__)


def keep_order(context: Context, mode: str, drain_seconds: float | None) -> bool:
    """Puts a wish on disk, before it is acknowledged; False where the disk fails.

    The conductor does as it is told then too; only if it dies over it, nobody else will.
    """
    until = None
    if mode == "drain":
        until = time.monotonic() + drain_limit(context, drain_seconds)
    try:
        stop_order.leave(context.home.path, mode, stop_order.mark_of(context.heart_pid), until)
    except OSError as error:
        log.warning("order_not_kept", mode=mode, error=str(error))
        return False
    return True


def drain_limit(context: Context, drain_seconds: float | None) -> float:
    return context.config.shutdown_timeout_seconds if drain_seconds is None else drain_seconds
