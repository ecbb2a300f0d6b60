"""A cancelling waits for its jobs, and not for a disk that fails."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from marianne.daemon.boot import shutdown
from marianne.daemon.context import Context
from marianne.daemon.processes.host import Guest


class _Manager:
    """One whose answer never comes, or is there at once."""

    def __init__(self, answers: bool) -> None:
        self.done = answers

    def within(self, _seconds: float | None) -> _Manager:
        return self

    def tell(self, *_message: object) -> None:
        pass

    def call(self, *_message: object) -> _Manager:
        return self

    def on_done(self, _callback: object) -> None:
        pass

    def outcome(self) -> Any:
        return SimpleNamespace(ok=True)


def _context(problem: str | None, answers: bool) -> Context:
    made = SimpleNamespace(
        stop=SimpleNamespace(mode="cancel", drain_seconds=None),
        storage=SimpleNamespace(words=lambda: problem),
        host=Guest(),
        config=SimpleNamespace(sheet_grace_seconds=0.0, shutdown_timeout_seconds=60.0),
        manager=_Manager(answers),
    )
    return cast(Context, made)


def test_a_cancelling_gives_up_on_a_disk_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutdown, "FAILING_DISK_SECONDS", 0.05)
    monkeypatch.setattr(shutdown, "LOOK_EVERY", 0.01)
    assert not shutdown.wind_down(_context("read-only", answers=False), lambda: None)


def test_a_cancelling_that_is_done_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutdown, "LOOK_EVERY", 0.01)
    assert shutdown.wind_down(_context("read-only", answers=True), lambda: None)
