"""Where a test of actors plays, and how it waits there: on real threads, or simulated."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from actors import System


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30.0
    pause = 0.0005
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in 30 s"
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)


@dataclass
class World:
    """A system and how to wait in it."""

    system: System
    until: Callable[[Callable[[], object]], None]
