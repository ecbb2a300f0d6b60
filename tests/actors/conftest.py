from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from actors import System


@pytest.fixture
def system() -> Iterator[System]:
    system = System("test")
    yield system
    system.shutdown(timeout=5.0)


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Waits until a condition holds; fails after 5 seconds."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 5.0
        pause = 0.0005
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in 5 s"
            time.sleep(pause)
            pause = min(pause * 1.5, 0.02)

    return wait
