"""How far the collector was told, on disk: written by who tells it, read by whoever asks.

A restart finds here what was told last. Where the file is gone or cannot be written, what was told
since is told again: a span's numbers are the same then.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

from marianne.private import PRIVATE_FILE
from marianne.records import dataclass

NAME = "traces.json"
"""In the home."""


@dataclass(frozen=True, slots=True)
class Progress:
    """``seen``: of all events up to this number it was told, or never will be. ``sent`` and
    ``dropped`` count spans, since traces were turned on; ``trouble`` is why it cannot be told now.
    """

    seen: int
    sent: int = 0
    dropped: int = 0
    trouble: str | None = None


def read(home: Path) -> Progress | None:
    """What stands there; None: nothing that can be read."""
    try:
        found = json.loads((home / NAME).read_bytes())
        trouble = found["trouble"]
        numbers = (int(found["seen"]), int(found["sent"]), int(found["dropped"]))
        return Progress(*numbers, None if trouble is None else str(trouble))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write(home: Path, progress: Progress) -> None:
    """Replaces it as a whole. Raises OSError."""
    fresh = home / f"{NAME}.{os.getpid()}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "w") as stream:
            json.dump(asdict(progress), stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(fresh, home / NAME)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def forget(home: Path) -> None:
    """Nobody is told any more; whoever is next begins with what happens then."""
    (home / NAME).unlink(missing_ok=True)
