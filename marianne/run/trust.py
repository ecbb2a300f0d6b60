"""Whom a worker takes for its conductor: who has the key that it was started with.

The key outlives a conductor, in the heart that started it. When both are dead nobody has it any
more, and the next conductor says its own in a file. That a sheet could write as well: it would have
to kill heart and conductor first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ipc.errors import EndpointError
from marianne.run import procfs
from marianne.run.complain import complain

KEY_BYTES = 32


class Guarded(Protocol):
    """What we need of ipc's Dealer."""

    server_key: bytes | None

    def trust(self, server_key: bytes) -> None:
        """The other end is whoever has the secret of this key. Raises EndpointError."""


class Trust:
    """``keeper`` has the key while it lives, by pid and start time; None: the conductor alone."""

    def __init__(self, line: Guarded, key_file: str, keeper: Sequence[int] | None) -> None:
        self._line = line
        self._key_file = key_file
        self._keeper = keeper

    def kept_by(self, keeper: Sequence[int] | None) -> None:
        """The conductor that has taken us on says who passes its key on."""
        self._keeper = keeper

    def look(self) -> None:
        """Our conductor is dead: is there another key to go by?"""
        if self._keeper is not None and procfs.lives(*self._keeper):
            return
        key = _read(self._key_file)
        if key is not None and key != self._line.server_key:
            try:
                self._line.trust(key)
            except EndpointError as error:
                complain(f"no connection: {error}")


def trust_of(settings: dict[str, Any], line: Guarded) -> Trust | None:
    """By a worker's settings; None where nobody is asked for a proof."""
    if line.server_key is None or "key_file" not in settings:
        return None
    return Trust(line, settings["key_file"], settings.get("keeper"))


def _read(path: str) -> bytes | None:
    try:
        with open(path, encoding="ascii") as file:
            key = bytes.fromhex(file.read(2 * KEY_BYTES + 1))
    except (OSError, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None
