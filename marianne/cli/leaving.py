"""Ending or replacing the conductor, and waiting on evidence that it happened."""

from __future__ import annotations

import os
import select
import signal
import time

from marianne.cli.errors import CliError
from marianne.cli.session import Session
from marianne.cli.start import start_conductor

ASK_SECONDS = 5.0
"""How long a conductor has to take the request before it is told by a signal."""

SLICE_SECONDS = 0.25
"""After this much silence it is looked whether the conductor is still there."""


def end_conductor(
    session: Session, mode: str, drain_seconds: float | None, until: float | None
) -> None:
    """Asks the conductor to stop in this way and returns when the lock is free.

    The lock is held until no process of this home is left. A conductor that does not answer is
    told by SIGTERM, which means ``stop``; for ``force`` a second one, which means just that.
    """
    _ask(session, mode, drain_seconds)
    while True:
        pid = session.home.heart() or session.holder()
        if pid is None:
            return
        wait_for_exit(pid, until)


def replace_conductor(session: Session, old: int | None, until: float) -> int:
    """A conductor other than ``old`` that serves; its pid."""
    if old is not None:
        _ask(session, "restart", None)
        wait_for_exit(old, until)
    while True:
        if time.monotonic() >= until:
            raise CliError("timeout", "the new conductor does not answer yet", "marianne logs")
        if not session.running():
            start_conductor(session, max(1.0, until - time.monotonic()))
        try:
            pid = int(session.request("hello", deadline=1.0)["pid"])
        except CliError as error:
            if error.code not in ("deadline", "unavailable", "shutting_down", "no_conductor"):
                raise
            continue
        if pid != old:
            return pid


def _ask(session: Session, mode: str, drain_seconds: float | None) -> None:
    """Asks; one request in short slices, for a conductor that ends at once may answer nobody."""
    params = {"mode": mode, "drain_seconds": drain_seconds}
    request_id = os.urandom(16).hex()
    asked = session.holder()
    until = time.monotonic() + ASK_SECONDS
    while asked is not None and session.holder() == asked:
        try:
            session.request(
                "daemon.shutdown", params, deadline=SLICE_SECONDS, request_id=request_id
            )
            return
        except CliError as error:
            if error.code not in ("deadline", "unavailable", "no_conductor", "shutting_down"):
                raise
        if time.monotonic() >= until:
            if mode != "restart":
                _signal(session, times=2 if mode == "force" else 1)
            return


def _signal(session: Session, times: int) -> None:
    """SIGTERM to the holder of the lock; never to a stranger that has its number."""
    pid = session.holder()
    if pid is None:
        return
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        # Still the holder: the number was its own when the pidfd was opened.
        if session.holder() == pid:
            for _ in range(times):
                signal.pidfd_send_signal(fd, signal.SIGTERM)
    except ProcessLookupError:
        pass
    finally:
        os.close(fd)


def wait_for_exit(pid: int, until: float | None) -> None:
    """Returns when the process has ended; raises when time is up."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        time.sleep(0.01)  # ended; whoever inherited the lock writes its own number
        fd = -1
    left = None if until is None else until - time.monotonic()
    if left is not None and left <= 0:
        raise CliError("timeout", "the conductor is still stopping", "marianne conductor-status")
    if fd < 0:
        return
    try:
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        poller.poll(None if left is None else left * 1000)
    finally:
        os.close(fd)
