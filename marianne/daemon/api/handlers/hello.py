"""``hello``: who is there and what it speaks."""

from __future__ import annotations

import os
from typing import Any

from marianne.daemon.api.request_context import Call
from marianne.version import version

Params = None
MUTATING = False


def handle(call: Call, params: None) -> dict[str, Any]:
    """Answers without asking anybody."""
    return {"protocol": 1, "version": version(), "pid": os.getpid(), "ready": True}
