"""Telling a service manager how the conductor fares: sd_notify(3), without its library.

Nothing is said when ``NOTIFY_SOCKET`` is not set. The watchdog is fed only while the tree answers:
a conductor whose manager or health checker is stuck is restarted by systemd.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping

from actors import ActorDied, AskTimeout, NoSuchActor
from marianne.daemon.context import Context
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.services.health import HealthActor
from marianne.daemon.shared.log import get_logger

log = get_logger(__name__)


class ServiceManager:
    """One conductor's word to whoever supervises it."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._period = _watchdog_seconds(environ)
        self._stopped = threading.Event()

    def ready(self, context: Context) -> None:
        """The conductor serves. Begins to feed the watchdog if one is asked for."""
        self._say(f"READY=1\nMAINPID={context.heart_pid or os.getpid()}\nSTATUS=serving")
        if self._address and self._period:
            threading.Thread(
                target=self._feed, args=(context, self._period), name="watchdog", daemon=True
            ).start()

    def stopping(self) -> None:
        """The conductor ends."""
        self._stopped.set()
        self._say("STOPPING=1\nSTATUS=stopping")

    def _feed(self, context: Context, period: float) -> None:
        # Half the period, as sd_watchdog_enabled(3) says; the answers may take a quarter.
        while not self._stopped.wait(period / 2):
            try:
                context.health.within(period / 8).ask(HealthActor.liveness)
                context.manager.within(period / 8).ask(ManagerActor.counts)
            except (ActorDied, AskTimeout, NoSuchActor) as error:
                log.warning("watchdog_not_fed", error=repr(error))
            else:
                self._say("WATCHDOG=1")

    def _say(self, message: str) -> None:
        if not self._address:
            return
        # A leading @ stands for the abstract namespace's zero byte.
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto(message.encode(), address)
        except OSError as error:
            log.warning("service_manager_not_told", error=str(error))


def _watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    text = environ.get("WATCHDOG_USEC", "")
    if not text.isascii() or not text.isdigit():
        return None
    seconds = int(text) / 1e6
    return seconds if 0 < seconds <= threading.TIMEOUT_MAX else None  # beyond it is infinity
