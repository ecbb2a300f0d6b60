"""How far a collector of traces was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marianne.traces import progress

if TYPE_CHECKING:
    from marianne.daemon.context import Context
    from marianne.replies.conductor import TracesSent


def traces_sent(context: Context) -> TracesSent | None:
    """What its process has written down; None where no collector is told."""
    endpoint = context.config.traces.endpoint
    if endpoint is None:
        return None
    from marianne.daemon.config.secret import masked_url

    figures = context.figures
    known = progress.read(context.home.path) or progress.Progress(figures.committed)
    return {
        "endpoint": masked_url(endpoint),
        "sent": known.sent,
        "dropped": known.dropped,
        "waiting": max(0, figures.committed - known.seen),
        "trouble": figures.unsent or known.trouble or "ok",
    }
