"""``daemon.rate_limits``: which instruments refuse work now."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from marianne.daemon.api.request_context import Call
from marianne.daemon.views import wire

if TYPE_CHECKING:
    from marianne.replies.conductor import RateLimit, RateLimits

Params = None
MUTATING = False


def handle(call: Call, params: None) -> RateLimits:
    """``limits``: for each limit key its ``instrument``, ``model``, ``seconds`` and ``until``."""
    now = time.time()
    limits: list[RateLimit] = []
    for key, seconds in sorted(call.context.rate_limits.active_limits().items()):
        instrument, _, model = key.partition("/")
        limits.append(
            {
                "key": key,
                "instrument": instrument,
                "model": model or None,
                "seconds": round(seconds, 1),
                "until": wire.timestamp(now + seconds),
            }
        )
    return {"limits": limits}
