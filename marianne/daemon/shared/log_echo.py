"""What is logged, on standard error too: for the journal of a service manager, or a terminal.

Whoever reads that pipe may stop reading. Then lines are left out here and counted, and nobody
waits: the log file has them all.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from typing import Any

from marianne.streams import STDERR

WAITING = 1_000
"""Lines that wait for a reader."""

LAST_SECONDS = 1.0
"""How long the last lines may take at the end."""


def plain(line: dict[str, Any]) -> str:
    """``time level event name=value``, in one line."""
    fields = dict(line)
    head = [str(fields.pop(name, "")) for name in ("ts", "level", "event")]
    fields.pop("logger", None)
    more = [f"{name}={_short(value)}" for name, value in fields.items() if value not in (None, "")]
    return " ".join([head[0], f"{head[1]:<7}", head[2], *more])


def _short(value: Any) -> str:
    if isinstance(value, str) and value.isprintable() and " " not in value:
        return value
    return json.dumps(value, default=str)


class Echo:
    """Writes lines to standard error from a thread of its own. RuntimeError where there is none."""

    def __init__(self, form: str) -> None:
        self._plain = form == "plain"
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue(WAITING)
        self._left_out = 0
        self._thread = threading.Thread(target=self._run, name="log-echo", daemon=True)
        self._thread.start()

    def say(self, line: dict[str, Any]) -> None:
        """Never waits and never fails."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._left_out += 1

    def close(self) -> None:
        """Writes what waits, if somebody reads it."""
        try:
            self._lines.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(LAST_SECONDS)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            left_out, self._left_out = self._left_out, 0
            try:
                if left_out:
                    _write(f"{left_out} lines stand in the log file only")
                _write(plain(line) if self._plain else json.dumps(line, default=str))
            except OSError:
                return  # nobody will read it any more


def _write(text: str) -> None:
    """Waits for the reader. Not by Python's object: who waits in there has its lock, for which
    whoever starts a process would wait too (multiprocessing flushes it first)."""
    data = f"{text}\n".encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(STDERR, data) :]
