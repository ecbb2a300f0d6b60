"""The order to stop, on disk: what was acknowledged is carried out, whoever of ours dies over it.

A conductor that is asked to stop leaves the order in its home before it acknowledges; a client
whose conductor does not listen leaves it itself. The heart looks for it when a conductor has died,
and each conductor when it boots. It says which heart it was for: another heart's conductor was
started by somebody who wants it to run, and only does what was promised to last: the cancelling.

What a drain came to is told the same way, in the order's place.

Standard library only, and few modules of it: the heart imports this file.
"""

from __future__ import annotations

import os

from marianne.run import procfs

NAME = "stop-order"
DONE = "done"

RANK = {"drain": 1, "stop": 2, "force": 3, "cancel": 4}
"""The modes that are ordered; of two that meet the higher one stays."""


class StopOrder:
    """``mode`` is one of RANK, or DONE with the sheets that were interrupted as ``lines``.

    ``heart`` is the mark of the heart that it was for; ``until`` ends a drain, in seconds of the
    monotonic clock, which all processes of one boot share.
    """

    __slots__ = ("heart", "lines", "mode", "until")

    def __init__(self, mode: str, heart: str, until: float | None, lines: list[str]) -> None:
        self.mode = mode
        self.heart = heart
        self.until = until
        self.lines = lines


def mark_of(heart: int | None) -> str:
    """Names one heart of one boot; "" for none."""
    start = procfs.start_time(heart) if heart else None
    return f"{heart} {start} {procfs.boot_id()}" if start else ""


def read(home: str | os.PathLike[str]) -> StopOrder | None:
    """The order in this home; None if there is none that can be read."""
    try:
        with open(os.path.join(home, NAME), encoding="utf-8", errors="replace") as file:
            mode, heart, until, *lines = file.read(1 << 20).splitlines()
        known = mode in RANK or mode == DONE
        return StopOrder(mode, heart, float(until) if until else None, lines) if known else None
    except (OSError, ValueError):
        return None


def leave(home: str | os.PathLike[str], mode: str, heart: str, until: float | None = None) -> None:
    """Leaves the order, on disk when this returns, unless a higher one is there. Raises OSError."""
    there = read(home)
    if there is not None and RANK.get(there.mode, 0) > RANK[mode]:
        return
    _write(home, [mode, heart, "" if until is None else str(until)])


def finish(home: str | os.PathLike[str], interrupted: list[str]) -> None:
    """Says in the order's place that it is done, and what it interrupted. Raises OSError."""
    _write(home, [DONE, "", "", *interrupted])


def withdraw(home: str | os.PathLike[str]) -> None:
    """Takes the order away: it is done, or somebody wishes otherwise. Raises OSError."""
    try:
        os.unlink(os.path.join(home, NAME))
    except FileNotFoundError:
        pass


def _write(home: str | os.PathLike[str], lines: list[str]) -> None:
    place = os.path.join(home, NAME)
    fresh = f"{place}.{os.getpid()}.{os.urandom(4).hex()}"
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            data = ("\n".join(lines) + "\n").encode()
            if os.write(fd, data) < len(data):
                raise OSError(28, "No space left on device")
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(fresh, place)
    except OSError:
        os.unlink(fresh)
        raise
    directory = os.open(home, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
