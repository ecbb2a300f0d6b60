"""A score as the conductor takes it: a path that it reads itself, or the text."""

from __future__ import annotations

import os
import select
import stat
import sys
import time
from typing import Any

from marianne.cli.errors import CliError
from marianne.model.document import MAX_BYTES

WRITER_SECONDS = 30.0
"""How long a named pipe is waited for that nobody writes to."""

_PIECE = 1 << 16


def source(score: str, *, elsewhere: bool = False) -> dict[str, Any]:
    """``config_path`` or ``score`` of a request. ``-`` is standard input.

    A pipe (``<(...)``, /dev/stdin) is read here: it is nobody else's. So is any file where the
    conductor is ``elsewhere``, on a machine that does not have it. Raises CliError.
    """
    if score == "-":
        return {"config_path": None, "score": standard_input()}
    path = os.path.abspath(score)
    if not os.path.exists(path):
        raise CliError("usage", f"there is no score {score!r}", "write one with: marianne init")
    if os.path.isdir(path):
        raise CliError("usage", f"{score!r} is a directory, not a score")
    text = piped(path)
    if text is None and elsewhere:
        with open(path, "rb") as file:
            text = _text(file.read(MAX_BYTES + 1), score)
    if text is None:
        return {"config_path": path, "score": None}
    return {"config_path": None, "score": text}


def piped(path: str) -> str | None:
    """The text of a pipe or a file that only this process has; None: others can read it too.

    Raises CliError where nobody writes, or too much comes.
    """
    absolute = os.path.abspath(path)
    own = absolute.startswith(("/dev/", "/proc/"))
    try:
        mode = os.stat(absolute).st_mode
    except OSError:
        return None  # whoever reads it says so
    if stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and not own):
        return None
    # With a writer that is still to come the open would wait, for ever if none does.
    descriptor = os.open(absolute, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        return _text(_read(descriptor, path, fifo=stat.S_ISFIFO(mode)), path)
    finally:
        os.close(descriptor)


def standard_input() -> str:
    """The score that is piped in. Raises CliError."""
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise _too_large("standard input")
    return _text(data, "standard input")


def _read(descriptor: int, name: str, *, fifo: bool) -> bytes:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    until = time.monotonic() + WRITER_SECONDS
    data = b""
    while True:
        # A named pipe that nobody has opened for writing reads as ended: so poll tells first.
        if fifo and not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            text = f"nothing was written to {name!r} for {WRITER_SECONDS:g} s"
            raise CliError("usage", text, "a score is a file, or - for standard input")
        part = os.read(descriptor, _PIECE)
        if not part:
            return data
        data += part
        until = time.monotonic() + WRITER_SECONDS
        if len(data) > MAX_BYTES:
            raise _too_large(name)


def _too_large(name: str) -> CliError:
    return CliError("invalid_score", f"{name} is larger than {MAX_BYTES // 2**20} MiB")


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CliError("invalid_score", f"{name} is not UTF-8: {error}") from None
