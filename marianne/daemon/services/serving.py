"""Has something done that the configuration wants, by a process of its own: something served over
HTTP, or sent to a collector.

An address is bound here, where it can be said at once why it cannot be; what is asked there is
another process's to answer, so that nobody who asks can take a conductor's time. An address that is
taken, or a process that died, is tried again; jobs go on.

A restart finds nothing: the process ends with its conductor, and the address is bound anew.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from actors import Actor, Backoff, ExitReason, Timer
from actors.process import Process, ProcessExit
from marianne.daemon.context import Context
from marianne.daemon.shared.log import get_logger
from marianne.metrics.address import Address

log = get_logger(__name__)

BACKOFF = Backoff(min=0.5, max=60.0)
STEADY_SECONDS = 10.0
"""A process that served so long was no failure to start."""


class Wanted(NamedTuple):
    """What is to be done: where, in words without a secret, and as an address that is bound for it
    (None: there is none); what the process is told beside the socket."""

    listen: str
    address: Address | None
    given: tuple[Any, ...]


class Served(Protocol):
    """What a :class:`Serving` has done: ``what`` is its name in the log, ``done`` the word for it;
    ``target`` what the process runs, by its name: a conductor needs no HTTP."""

    what: str
    done: str
    target: str
    for_one_job: bool
    """Whether a private conductor does it too, which has one job and at which nobody looks."""

    def wanted(self) -> Wanted | None:
        """What the configuration says; None: nothing is to be served."""

    def told(self, why: str | None) -> None:
        """Why it is not done; None: it is, or is not to be."""


class Serving(Actor):
    """Owns the process and the socket that it serves; neither while nothing is wanted."""

    def __init__(self, context: Context, served: Callable[[Context], Served]) -> None:
        super().__init__()
        self._context = context
        self._served = served(context)
        self._wanted: Wanted | None = None
        self._listener: socket.socket | None = None
        self._process: Process | None = None
        self._failures = 0
        self._later: Timer | None = None
        self._began = 0.0

    def on_start(self) -> None:
        """Does what is configured."""
        if self._context.client is None or self._served.for_one_job:
            self.apply()

    def on_stop(self, reason: ExitReason) -> None:
        """Nobody answers any more."""
        self._close()

    def apply(self) -> None:
        """Does what is configured now."""
        wanted = self._served.wanted()
        if wanted == self._wanted:
            return
        self._close()
        self._wanted, self._failures = wanted, 0
        self.serve()

    def look(self) -> None:
        """Binds again where the file of its socket was removed: nobody could ask any more."""
        wanted = self._wanted
        if wanted is None or wanted.address is None or self._listener is None:
            return
        if wanted.address.is_lost():
            log.warning("socket_lost", place=wanted.address.host)
            self._close()
            self.serve()

    def serve(self) -> None:
        """Binds the address if it is not ours yet, and starts the process if none runs."""
        self._later = None
        wanted = self._wanted
        if wanted is None or self._process is not None:
            return
        try:
            if self._listener is None and wanted.address is not None:
                self._listener = wanted.address.bind()
            given = wanted.given if self._listener is None else (self._listener, *wanted.given)
            self._process = self._context.system.processes.start(
                self._served.target, given, f"marianne-{self._served.what}"
            )
        except (OSError, EOFError) as error:
            self._again(wanted, str(error) or repr(error))
            return
        self._began = self.system.runtime.monotonic()
        self.watch(self._process)
        self._served.told(None)
        log.info(f"{self._served.what}_{self._served.done}", listen=wanted.listen)

    def on_process_exit(self, process: Process, ending: ProcessExit) -> None:
        """Another one answers those who wait at the socket."""
        if process is not self._process or self._wanted is None:
            return
        self._process = None
        if self.system.runtime.monotonic() - self._began > STEADY_SECONDS:
            self._failures = 0
        self._again(self._wanted, f"its process ended: {ending}")

    def _again(self, wanted: Wanted, why: str) -> None:
        self._failures += 1
        seconds = BACKOFF.delay(self._failures - 1, self.name)
        self._served.told(f"not {self._served.done} at {wanted.listen}: {why}")
        event = f"{self._served.what}_not_{self._served.done}"
        log.warning(event, listen=wanted.listen, why=why, again=round(seconds, 1))
        self._later = self.send_after(seconds, self.serve)

    def _close(self) -> None:
        if self._later is not None:
            self._later.cancel()
        if self._process is not None:
            self._process.kill()
        if self._listener is not None and self._wanted is not None:
            if self._wanted.address is not None:
                self._wanted.address.unlink()
            self._listener.close()
        self._later = self._process = self._listener = None
        self._served.told(None)
