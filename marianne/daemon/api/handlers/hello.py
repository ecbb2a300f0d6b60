"""``hello``: who is there and what it speaks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from marianne.daemon.api.request_context import Call
from marianne.version import version

if TYPE_CHECKING:
    from marianne.replies.conductor import Hello

Params = None
MUTATING = False


def handle(call: Call, params: None) -> Hello:
    """Answers without asking anybody."""
    return {"protocol": 1, "version": version(), "pid": os.getpid(), "ready": True}
