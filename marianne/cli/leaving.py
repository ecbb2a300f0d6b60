"""Ending or replacing the conductor, and waiting on evidence that it happened."""

from __future__ import annotations

import os
import select
import signal
import time
from typing import TYPE_CHECKING

from marianne.cli.errors import CliError
from marianne.cli.render.out import note
from marianne.cli.session import Session
from marianne.cli.start import start_conductor
from marianne.run import procfs, stop_order
from marianne.run.holders import holds, identity

if TYPE_CHECKING:
    from marianne.daemon.config import DaemonConfig
    from marianne.replies.conductor import Stopping

ASK_SECONDS = 5.0
"""How long a conductor has to take the request before it is told by a signal."""

FORCE_SECONDS = 5.0
"""How long a conductor may take for ``stop --force``, once asked, until it is killed itself."""

SLICE_SECONDS = 0.25
"""After this much silence it is looked whether the conductor is still there."""

NOTE_AFTER = 20.0
"""Seconds of waiting after which a person is told what can be done about it."""

DEFAULT_GRACE, DEFAULT_DRAIN = 10.0, 300.0
"""Seconds from TERM to KILL of what is left, and of a drain, where the configuration cannot be
read."""

_PASSING = ("deadline", "unavailable", "no_conductor", "shutting_down")


def end_conductor(
    session: Session, mode: str, drain_seconds: float | None, until: float | None
) -> stop_order.StopOrder | None:
    """Asks the conductor to stop in this way; returns when no process of this home is left.

    The lock is held until then, unless all of ours are killed: what they leave is ended here. A
    conductor that takes another's place meanwhile is asked like the first; not one that somebody
    starts once that one has ended. One that does not
    answer finds the wish on disk, as its heart does, and is told by SIGTERM, which means ``stop``:
    for a drain only when the time of that is up, until then it is asked again; for ``force`` a
    second one, which means just that, and after five seconds it is killed: one that hangs hears
    nothing, and its heart ends the rest. What is stopped by a signal goes on, so that it can end.
    Returns what is in the order's place then: what a drain came to, or what is left to the next
    conductor.
    """
    asked: int | None = None
    heart = session.home.heart()
    kept, begun = True, time.monotonic()
    kill_at = begun + FORCE_SECONDS if mode == "force" else None
    note_at = begun + NOTE_AFTER if mode in ("stop", "cancel") else None
    while (pid := session.holder()) is not None:
        if asked is not None and _is_anothers(session, heart, pid, asked):
            return stop_order.read(session.home.path)
        _wake(session)
        if pid != asked:
            answer = _ask(session, mode, drain_seconds)
            if answer is not None:
                kept, asked = answer.get("kept", True), pid
            else:
                over = begun + _drain(session, drain_seconds) if mode == "drain" else None
                kept = _leave_order(session, mode, over)
                if over is None or time.monotonic() >= over:
                    _signal(session, times=2 if mode == "force" else 1)
                    asked = pid
        now = time.monotonic()
        if kill_at is not None and now >= kill_at:
            _kill(session)
            kill_at = None
        if note_at is not None and now >= note_at:
            note("note: it is still stopping; `marianne stop --force` ends it at once")
            note_at = None
        _check(until)
        # Looked at anew each second: a heart that died has left its number in the file.
        limits = [now + 1.0, until, kill_at]
        waited_for = session.home.heart() or pid
        _await_exit(waited_for, min(at for at in limits if at is not None))
    _end_left(session, mode)
    if mode == "cancel" and not kept:
        message = "the conductor has stopped, and the disk fails: not every job may be cancelled"
        raise CliError("not_kept", message, "start it once the disk works, then: marianne list")
    return stop_order.read(session.home.path)


def _is_anothers(session: Session, heart: int | None, pid: int, asked: int) -> bool:
    """Whether this conductor is of a later start: it has another heart, or none as none that was
    there has."""
    now = session.home.heart()
    return pid != asked and now != heart and (now is not None or heart is None)


def end_what_is_left(session: Session, mode: str) -> bool:
    """For a home without a conductor: ends what one that was killed left, its workers and sheets.

    Returns whether there was any. ``cancel`` is an order for the next conductor too.
    """
    if not session.home.db.exists():
        return False
    if mode == "cancel":
        _leave_order(session, mode, None)
    return _end_left(session, mode)


def replace_conductor(session: Session, old: int | None, until: float) -> int:
    """A conductor other than ``old`` that serves; its pid.

    One that does not hear the wish is killed, which its workers outlive just as well; never where
    the configuration would keep the next one from starting.
    """
    told = old is None
    while True:
        if time.monotonic() >= until:
            raise CliError("timeout", "the new conductor does not answer yet", "marianne logs")
        if not told and session.holder() == old:
            _check_database(session)
            _wake(session)
            if _ask(session, "restart", None) is None:
                _check_config(session)
                _signal_holder(session, signal.SIGKILL)
            told = True
        if old is not None and session.holder() == old:
            _wake(session)
            _await_exit(old, min(until, time.monotonic() + 1.0))
            continue
        session.look_again()
        if not session.running():
            start_conductor(session, max(1.0, until - time.monotonic()))
            session.look_again()
        try:
            pid = int(session.request("hello", deadline=1.0)["pid"])
        except CliError as error:
            if error.code not in _PASSING:
                raise
            continue
        if pid != old:
            return pid


def _ask(session: Session, mode: str, drain_seconds: float | None) -> Stopping | None:
    """Asks the present conductor. Its answer, or as if it had done it where it is not the present
    one any more; None if it does not answer, or cannot: its files may be another version's by now.

    One request in short slices, for a conductor that ends at once may answer nobody.
    """
    params = {"mode": mode, "drain_seconds": drain_seconds}
    request_id = os.urandom(16).hex()
    asked = session.holder()
    until = time.monotonic() + ASK_SECONDS
    while asked is not None and session.holder() == asked:
        try:
            return session.request(
                "daemon.shutdown", params, deadline=SLICE_SECONDS, request_id=request_id
            )
        except CliError as error:
            if error.code == "internal":
                return None
            if error.code not in _PASSING:
                raise
        if time.monotonic() >= until:
            return None
    return {"stopping": True, "kept": True}


def _leave_order(session: Session, mode: str, until: float | None) -> bool:
    """What the conductor does not hear, its heart and the next conductor read; ``until`` is when a
    drain ends."""
    try:
        stop_order.leave(session.home.path, mode, stop_order.mark_of(session.home.heart()), until)
    except OSError as error:
        note(f"note: the wish to stop cannot be kept in {session.home.path}: {error.strerror}")
        return False
    return True


def _check_config(session: Session) -> None:
    from marianne.daemon.config import ConfigError, load_config

    try:
        load_config(session.home)
    except ConfigError as error:
        raise CliError("invalid_config", str(error), "the conductor that runs goes on") from None


def _check_database(session: Session) -> None:
    """Refuses where the next conductor, which is of this program, could not read it."""
    import sqlite3

    from marianne.state.errors import DatabaseTooNew
    from marianne.state.migrations import refuse_newer

    try:
        refuse_newer(session.home.db)
    except DatabaseTooNew as error:
        raise CliError("too_new", str(error), "the conductor that runs goes on") from None
    except sqlite3.Error:
        pass  # whether it can be used is the next conductor's to say


# -- signals, each with a proof --------------------------------------------------------------------


def _signal(session: Session, times: int) -> None:
    """SIGTERM to the heart, which passes it on and replaces nobody then, or to the conductor."""
    heart = session.home.heart()
    if heart is not None and _send(session, heart, signal.SIGTERM, signal.SIGCONT):
        times -= 1
    _signal_holder(session, *[signal.SIGTERM] * times, signal.SIGCONT)


def _signal_holder(session: Session, *signals: signal.Signals) -> None:
    pid = session.holder()
    if pid is not None:
        _send(session, pid, *signals)


def _kill(session: Session) -> None:
    """Ends a conductor that hangs. First its heart is told not to replace it."""
    heart = session.home.heart()
    if heart is not None:
        _send(session, heart, signal.SIGTERM, signal.SIGCONT)
    _signal_holder(session, signal.SIGKILL)


def _wake(session: Session) -> None:
    """Lets go on what somebody has stopped, so that it can hear."""
    for pid in (session.holder(), session.home.heart()):
        found = procfs.stat(pid) if pid is not None else None
        if found is not None and found.state == "T":
            _send(session, found.pid, signal.SIGCONT)


def _send(session: Session, pid: int, *signals: signal.Signals) -> bool:
    """Signals a process that holds the lock; never a stranger that has its number by now."""
    fd = procfs.pidfd_of(pid)
    if fd is None:
        return False
    try:
        if not holds(pid, identity(session.home.pid_file), identity(session.home.path)):
            return False
        for signum in signals:
            signal.pidfd_send_signal(fd, signum)
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)
    return True


# -- the end ---------------------------------------------------------------------------------------


def _end_left(session: Session, mode: str) -> bool:
    """Ends what a conductor and a heart that were killed left, if nobody has the home by now.

    Returns whether there was any.
    """
    from marianne.home import HomeError
    from marianne.run.confine import sweep_orphans
    from marianne.run.marked import left_behind
    from marianne.walls.cgroups import end_all

    home = session.home
    if not home.path.exists():
        return False  # a private conductor takes its home with it, and looks for itself
    try:
        lock = home.hold()
        if lock is None:
            return False
        try:
            owner = home.owner() if home.owner_file.exists() and not home.copied() else ""
            if not owner:
                return False
            left: list[int] = []
            if next(left_behind(owner), None) is not None:
                grace = 0.0 if mode == "force" else _grace(session)
                left = sweep_orphans(owner, spare=(os.getpid(),), grace=grace)
            return bool([*left, *end_all(home.path, owner)])
        finally:
            lock.release()
    except (HomeError, OSError) as error:
        note(f"note: what may be left of its processes was not looked for: {error}")
    return False


def _grace(session: Session) -> float:
    config = _config(session)
    return DEFAULT_GRACE if config is None else config.sheet_grace_seconds


def _drain(session: Session, seconds: float | None) -> float:
    """How long a drain may take that was asked to take so long."""
    if seconds is not None:
        return seconds
    config = _config(session)
    return DEFAULT_DRAIN if config is None else config.shutdown_timeout_seconds


def _config(session: Session) -> DaemonConfig | None:
    from marianne.daemon.config import ConfigError, load_config

    try:
        return load_config(session.home).config
    except ConfigError:
        return None


def wait_for_exit(pid: int, until: float | None) -> None:
    """Returns when the process has ended or time is up; raises when time was up before."""
    _check(until)
    _await_exit(pid, until)


def _check(until: float | None) -> None:
    if until is not None and time.monotonic() >= until:
        raise CliError("timeout", "the conductor is still stopping", "marianne conductor-status")


def _await_exit(pid: int, until: float | None) -> None:
    """Returns when the process has ended or time is up."""
    fd = procfs.pidfd_of(pid)
    if fd is None:
        time.sleep(0.01)  # ended; whoever inherited the lock writes its own number
        return
    try:
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        left = None if until is None else max(0.0, until - time.monotonic())
        poller.poll(None if left is None else left * 1000)
    finally:
        os.close(fd)
