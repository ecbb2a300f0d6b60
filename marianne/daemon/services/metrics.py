"""Has the conductor's figures served where ``metrics.listen`` says."""

from __future__ import annotations

from marianne.daemon.services.serving import Serving, Wanted


class Metrics(Serving):
    """The process is :mod:`marianne.metrics.server`."""

    what = "metrics"
    target = "marianne.metrics.server:serve_main"

    def wanted(self) -> Wanted | None:
        """The figures, where somewhere is named."""
        config = self.context.config.metrics
        if config.listen is None or config.address is None:
            return None
        return Wanted(config.listen, config.address, (str(self.context.home.conductor_sock),))

    def told(self, why: str | None) -> None:
        """``health`` says so too."""
        self.context.figures.unserved = why
