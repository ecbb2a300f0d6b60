"""``daemon.health``: is the conductor alive?"""

from __future__ import annotations

from typing import Any

from marianne.daemon.call import Call
from marianne.daemon.health import liveness

Params = None
MUTATING = False
QUICK = True


def handle(call: Call, params: None) -> dict[str, Any]:
    """The liveness map."""
    return liveness(call.context)
