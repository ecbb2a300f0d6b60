"""Has the conductor's figures served where ``metrics.listen`` says, by a process of its own.

The address is bound here, where it can be said at once why it cannot be; what is asked there is
another process's to answer (:mod:`marianne.metrics.server`), so that no scraper can take a
conductor's time. An address that is taken, or a process that died, is tried again; jobs go on.

A restart finds nothing: the process ends with its conductor, and the address is bound anew.
"""

from __future__ import annotations

import socket

from actors import Actor, Backoff, ExitReason, Timer
from actors.process import Process, ProcessExit
from marianne.daemon.context import Context
from marianne.daemon.shared.log import get_logger
from marianne.metrics.address import Address

log = get_logger(__name__)

SERVE = "marianne.metrics.server:serve_main"
"""By its name: a conductor needs no HTTP."""

BACKOFF = Backoff(min=0.5, max=60.0)
STEADY_SECONDS = 10.0
"""A process that served so long was no failure to start."""


class Metrics(Actor):
    """Owns the socket and the process that serves it; neither while nothing is to be served."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._listen: str | None = None
        self._address: Address | None = None
        self._listener: socket.socket | None = None
        self._process: Process | None = None
        self._failures = 0
        self._later: Timer | None = None
        self._began = 0.0

    def on_start(self) -> None:
        """Serves where it is configured. A private conductor has one job, and nobody looks."""
        if self._context.client is None:
            self.apply()

    def on_stop(self, reason: ExitReason) -> None:
        """Nobody answers any more."""
        self._close()

    def apply(self) -> None:
        """Serves where it is configured now."""
        listen = self._context.config.metrics.listen
        if listen == self._listen:
            return
        self._close()
        self._listen, self._failures = listen, 0
        self._address = self._context.config.metrics.address
        self.serve()

    def serve(self) -> None:
        """Binds the address if it is not ours yet, and starts the process if none runs."""
        self._later = None
        if self._address is None or self._process is not None:
            return
        try:
            if self._listener is None:
                self._listener = self._address.bind()
            self._process = self._context.system.processes.start(
                SERVE, (self._listener, str(self._context.home.conductor_sock)), "marianne-metrics"
            )
        except (OSError, EOFError) as error:
            self._again(str(error) or repr(error))
            return
        self._began = self.system.runtime.monotonic()
        self.watch(self._process)
        self._context.figures.unserved = None
        log.info("metrics_served", listen=self._listen)

    def on_process_exit(self, process: Process, ending: ProcessExit) -> None:
        """Another one answers those who wait at the socket."""
        if process is not self._process:
            return
        self._process = None
        if self.system.runtime.monotonic() - self._began > STEADY_SECONDS:
            self._failures = 0
        self._again(f"its process ended: {ending}")

    def _again(self, why: str) -> None:
        self._failures += 1
        seconds = BACKOFF.delay(self._failures - 1, self.name)
        self._context.figures.unserved = f"not served at {self._listen}: {why}"
        log.warning("metrics_not_served", listen=self._listen, why=why, again=round(seconds, 1))
        self._later = self.send_after(seconds, self.serve)

    def _close(self) -> None:
        if self._later is not None:
            self._later.cancel()
        if self._process is not None:
            self._process.kill()
        if self._listener is not None and self._address is not None:
            self._address.unlink()
            self._listener.close()
        self._later = self._process = self._listener = None
        self._context.figures.unserved = None
