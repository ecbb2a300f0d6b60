"""Ending or replacing the conductor, and waiting on evidence that it happened."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable

from marianne.cli.errors import CliError
from marianne.cli.session import Session
from marianne.cli.start import start_conductor

ASK_SECONDS = 5.0
"""How long a conductor has to take the request before it is told by a signal."""

FORCE_SECONDS = 5.0
"""How long a conductor may take for ``stop --force``, once asked, until it is killed itself."""

SLICE_SECONDS = 0.25
"""After this much silence it is looked whether the conductor is still there."""


def end_conductor(
    session: Session, mode: str, drain_seconds: float | None, until: float | None
) -> None:
    """Asks the conductor to stop in this way and returns when the lock is free.

    The lock is held until no process of this home is left. A conductor that does not answer is
    told by SIGTERM, which means ``stop``; for ``force`` a second one, which means just that, and
    after five seconds it is killed: one that hangs hears nothing, and its heart ends the rest.
    """
    _ask(session, mode, drain_seconds)
    kill_at = time.monotonic() + FORCE_SECONDS if mode == "force" else None
    while (pid := session.home.heart() or session.holder()) is not None:
        if kill_at is not None and time.monotonic() >= kill_at:
            _kill(session)
            kill_at = None
        _check(until)
        # Looked at anew each second: a heart that died has left its number in the file.
        limits = [time.monotonic() + 1.0, until, kill_at]
        _await_exit(pid, min(at for at in limits if at is not None))


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
    if pid is not None:
        _send(pid, lambda: session.holder() == pid, *[signal.SIGTERM] * times)


def _kill(session: Session) -> None:
    """Ends a conductor that hangs. First its heart is told not to replace it."""
    pid, heart = session.holder(), session.home.heart()
    if pid is None:
        return
    if heart is not None:
        # A heart that died has left its number in the file, and it may be a stranger's by now.
        _send(heart, lambda: _parent(pid) == heart, signal.SIGTERM)
    _send(pid, lambda: session.holder() == pid, signal.SIGKILL)


def _parent(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b") ")[2].split()[1])
    except OSError:
        return None


def _send(pid: int, still: Callable[[], bool], *signals: signal.Signals) -> None:
    """Signals the process if ``still`` holds once its pidfd is open: its number is its own then."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if still():
            for signum in signals:
                signal.pidfd_send_signal(fd, signum)
    except ProcessLookupError:
        pass
    finally:
        os.close(fd)


def wait_for_exit(pid: int, until: float | None) -> None:
    """Returns when the process has ended or time is up; raises when time was up before."""
    _check(until)
    _await_exit(pid, until)


def _check(until: float | None) -> None:
    if until is not None and time.monotonic() >= until:
        raise CliError("timeout", "the conductor is still stopping", "marianne conductor-status")


def _await_exit(pid: int, until: float | None) -> None:
    """Returns when the process has ended or time is up."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        time.sleep(0.01)  # ended; whoever inherited the lock writes its own number
        return
    try:
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        left = None if until is None else max(0.0, until - time.monotonic())
        poller.poll(None if left is None else left * 1000)
    finally:
        os.close(fd)
