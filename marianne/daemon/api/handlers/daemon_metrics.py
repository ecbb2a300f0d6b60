"""``daemon.metrics``: figures for Prometheus and its like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marianne.daemon.api.request_context import Call
from marianne.daemon.views import metrics

if TYPE_CHECKING:
    from marianne.replies.metrics import Metrics

Params = None
MUTATING = False


def handle(call: Call, params: None) -> Metrics:
    """Every family with its samples; no label names a job."""
    return {"families": metrics.metrics(call.context, call.reader)}
