"""What running sheets print, on its way to the conductor while they run.

The warden looks four times a second at what it follows and sends what is new; the bridge writes it
where the conductor's readers look, and says what it has taken. What is sent and not taken is
bounded for each node. Nothing depends on it: when an attempt has ended all that is missing is
fetched.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from marianne.executors.staging.stream import PIECE, WINDOW, Message
from marianne.regular_file import open_regular
from marianne.run.outputs import Files

STREAMS = ("out", "err")
LOOK_SECONDS = 0.25

Key = tuple[str, int, int]
"""Job, sheet, attempt."""


class Followed:
    """The warden's side. ``tell`` sends to the bridge; ``look`` is for a timer, as long as there is
    ``any``."""

    def __init__(self, tell: Callable[[Message], None]) -> None:
        self._tell = tell
        self._at: dict[Key, tuple[Files, dict[str, int]]] = {}
        self._ahead = 0

    @property
    def any(self) -> bool:
        """Whether anything is followed."""
        return bool(self._at)

    def follow(self, job_dir: str, message: Message) -> None:
        """From where the conductor has it."""
        key = message["job_id"], int(message["num"]), int(message["attempt"])
        have = {name: int(message["have"].get(name, 0)) for name in STREAMS}
        self._at[key] = Files(job_dir, key[1], key[2]), have

    def drop(self, message: Message) -> None:
        """It is followed no more."""
        self._at.pop((message["job_id"], int(message["num"]), int(message["attempt"])), None)

    def clear(self) -> None:
        """The connection is gone."""
        self._at.clear()
        self._ahead = 0

    def took(self, size: int) -> None:
        """The bridge has written so much."""
        self._ahead -= size

    def look(self) -> None:
        """Sends what is new, of each a piece at a time, so that none waits for another."""
        more = set(self._at)
        while more and self._ahead < WINDOW:
            more = {key for key in more if self._send(key)}

    def _send(self, key: Key) -> bool:
        files, have = self._at[key]
        sent = False
        for name in STREAMS:
            data = _read(getattr(files, name), have[name])
            if data:
                place = {"job_id": key[0], "num": key[1], "attempt": key[2], "name": name}
                self._tell({"kind": "output", **place, "at": have[name], "data": data})
                have[name] += len(data)
                self._ahead += len(data)
                sent = True
        return sent


def _read(path: str, at: int) -> bytes:
    try:
        with open_regular(path) as file:
            file.seek(at)
            return file.read(PIECE) or b""
    except OSError:
        return b""  # it has no file yet, or it cannot be read now: later


def place_of(message: dict[str, Any]) -> tuple[str, int, int, str]:
    """Job, sheet, attempt and stream of a piece. Raises ValueError for one of anything else."""
    if message["name"] not in STREAMS:
        raise ValueError(message["name"])
    return message["job_id"], int(message["num"]), int(message["attempt"]), message["name"]


def write(path: str, at: int, data: bytes) -> None:
    """Writes a piece at its place. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        rest = memoryview(data)
        while rest:
            written = os.pwrite(descriptor, rest, at)
            at, rest = at + written, rest[written:]
    finally:
        os.close(descriptor)
