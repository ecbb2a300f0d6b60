"""Has the conductor's figures served where ``metrics.listen`` says."""

from __future__ import annotations

from marianne.daemon.context import Context
from marianne.daemon.services.serving import Wanted


class Metrics:
    """The process is :mod:`marianne.metrics.server`."""

    what = "metrics"
    done = "served"
    for_one_job = False
    target = "marianne.metrics.server:serve_main"

    def __init__(self, context: Context) -> None:
        self._context = context

    def wanted(self) -> Wanted | None:
        """The figures, where somewhere is named."""
        config = self._context.config.metrics
        if config.listen is None or config.address is None:
            return None
        return Wanted(config.listen, config.address, (str(self._context.home.conductor_sock),))

    def told(self, why: str | None) -> None:
        """``health`` says so too."""
        self._context.figures.unserved = why
