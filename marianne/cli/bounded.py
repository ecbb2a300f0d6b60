"""Reading scores from the command line within the limits that the conductor's readers have."""

from __future__ import annotations

import os
import select
import signal
import time
import warnings
from collections.abc import Callable
from typing import Any

import msgpack

from marianne.cli.errors import CliError
from marianne.score import limits

WALL_SECONDS = 120.0
PIECE = 1 << 20


def bounded(read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``read`` returns, called in a child of ours with the limits of a score's reader.

    Raises CliError: ``invalid_score`` where it reached a limit, else ``internal``.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # The command line has one thread; a test that calls it from several takes the risk.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        os.close(reading)
        _child(read, writing)
    os.close(writing)
    try:
        answer, late = _all_of(reading, time.monotonic() + WALL_SECONDS)
    finally:
        os.close(reading)
        os.kill(pid, signal.SIGKILL)  # unreaped, so ours; one that has answered is over anyway
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return _outcome(answer, late, status)


def _child(read: Callable[[], dict[str, Any]], writing: int) -> None:
    """Never returns: the answer goes into the pipe, and nothing of the parent is cleaned up."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        limits.confine()
        try:
            answer = read()
        except limits.NO_MEMORY:
            limits.out_of_memory()
        except Exception as error:  # noqa: BLE001 - told by the parent
            answer = {"fault": f"{type(error).__name__}: {error}"}
        with open(writing, "wb") as pipe:
            pipe.write(msgpack.packb(answer))
        code = 0
    finally:
        os._exit(code)


def _all_of(reading: int, until: float) -> tuple[bytes, bool]:
    """Everything up to the other end's close, and whether that did not come in time."""
    parts: list[bytes] = []
    while True:
        left = until - time.monotonic()
        if left <= 0 or not select.select([reading], [], [], left)[0]:
            return b"", True
        part = os.read(reading, PIECE)
        if not part:
            return b"".join(parts), False
        parts.append(part)


def _outcome(answer: bytes, late: bool, status: int) -> dict[str, Any]:
    if late:
        text = f"the score could not be read within {WALL_SECONDS:g} s"
        raise CliError("deadline", text, "is the machine busy, or a file system not answering?")
    if answer:
        found: dict[str, Any] = msgpack.unpackb(answer, strict_map_key=False)
        if "fault" in found:
            raise CliError("internal", found["fault"], "this is a fault of marianne")
        return found
    if limits.ended_by_limit(status, -status):
        raise CliError("invalid_score", limits.WORDS, limits.HINT)
    raise CliError("internal", f"the process that reads the score ended ({status})", "try again")
