"""How long a sheet may be silent, where the machine sleeps meanwhile."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from marianne import clock
from marianne.run.limits import Limits, Watch

IDLE = 600.0


class Looks:
    """A watch of a sheet that has written just before each look; nothing passes by itself."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, out: Path) -> None:
        self.out, self.slept, self.later = out, 0.0, list[tuple[float, Any]]()
        self.exceeded: list[str] = []
        monkeypatch.setattr(clock, "_asleep", lambda: self.slept)
        nobody: Any = SimpleNamespace(look_at_memory=lambda _: None)
        self.write(ago=0.0)
        told: Any = SimpleNamespace(call_later=self.call_later)
        limits = Limits(idle=IDLE)
        self.watch = Watch(told, nobody, nobody, limits, (str(out),), self.no)
        self.next()

    def no(self, category: str, _message: str) -> None:
        self.exceeded.append(category)

    def call_later(self, seconds: float, call: Any) -> Any:
        self.later.append((seconds, call))
        return SimpleNamespace(cancel=lambda: None)

    def next(self) -> None:
        self.later.pop(0)[1]()

    def write(self, ago: float) -> None:
        with self.out.open("a") as file:
            file.write("x")
        when = time.time() - ago
        os.utime(self.out, (when, when))


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Looks:
    return Looks(monkeypatch, tmp_path / "out")


def test_a_night_that_the_machine_slept_is_no_silence(looks: Looks) -> None:
    looks.slept += 8 * 3600.0
    looks.write(ago=8 * 3600.0 + 10.0)
    looks.next()
    assert looks.exceeded == []
    assert IDLE - 15.0 < looks.later[0][0] <= IDLE - 9.0
    looks.next()
    assert looks.exceeded == ["idle"], "it was awake for all that time, and wrote nothing"


def test_silence_counts_from_the_last_write(looks: Looks) -> None:
    looks.write(ago=100.0)
    looks.next()
    assert IDLE - 105.0 < looks.later[0][0] <= IDLE - 99.0
