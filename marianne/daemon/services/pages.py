"""Has the pages of ``marianne web`` served where ``web.enabled`` says so."""

from __future__ import annotations

from marianne.daemon.context import Context
from marianne.daemon.services.serving import Wanted
from marianne.metrics.address import Address


class Pages:
    """The process is a client like any other, ``marianne web`` with a token that is kept."""

    what = "web"
    done = "served"
    for_one_job = False
    target = "marianne.web.child:serve_main"

    def __init__(self, context: Context) -> None:
        self._context = context

    def wanted(self) -> Wanted | None:
        """The pages, where they are enabled."""
        config = self._context.config.web
        if not config.enabled:
            return None
        address = Address("127.0.0.1", config.port)
        given = (str(self._context.home.path), config.write, config.allow_hosts)
        return Wanted(f"127.0.0.1:{config.port}", address, given)

    def told(self, why: str | None) -> None:
        """The log has it."""
