"""Has the pages of ``marianne web`` served where ``web.enabled`` says so."""

from __future__ import annotations

from marianne.daemon.services.serving import Serving, Wanted
from marianne.metrics.address import Address


class Pages(Serving):
    """The process is a client like any other, ``marianne web`` with a token that is kept."""

    what = "web"
    target = "marianne.web.child:serve_main"

    def wanted(self) -> Wanted | None:
        """The pages, where they are enabled."""
        config = self.context.config.web
        if not config.enabled:
            return None
        address = Address("127.0.0.1", config.port)
        given = (str(self.context.home.path), config.write, config.allow_hosts)
        return Wanted(f"127.0.0.1:{config.port}", address, given)
