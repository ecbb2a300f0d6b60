"""Whom a stop ends while others start: the conductor that was there, and whom its heart starts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from marianne.cli import leaving
from marianne.cli.session import Session

Seen = tuple[int, int | None]
"""Who holds the home: the conductor and its heart."""


class House:
    """A home whose holders are these, one after the other, each until it was waited for."""

    def __init__(self, path: Path, *seen: Seen) -> None:
        self._left = list(seen)
        self.asked: list[int] = []
        self.home = SimpleNamespace(path=path, heart=lambda: self._now()[1])

    def _now(self) -> tuple[int | None, int | None]:
        return self._left[0] if self._left else (None, None)

    def holder(self) -> int | None:
        return self._now()[0]

    def request(self, *_: Any, **_more: Any) -> dict[str, Any]:
        self.asked.append(self._left[0][0])
        return {"stopping": True, "kept": True}

    def ends(self, *_: Any) -> None:
        self._left.pop(0)


@pytest.mark.parametrize(
    ("seen", "asked"),
    [
        ([(10, 5), (11, 5)], [10, 11]),  # its heart has replaced it
        ([(10, 5), (10, None)], [10]),  # its heart was killed
        ([(10, 5), (20, 6)], [10]),  # somebody has started another
        ([(10, None), (20, 6)], [10]),
    ],
)
def test_a_conductor_of_a_later_start_is_not_asked_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: list[Seen], asked: list[int]
) -> None:
    house = House(tmp_path, *seen)
    monkeypatch.setattr(leaving, "_wake", lambda _session: None)
    monkeypatch.setattr(leaving, "_end_left", lambda *_: False)
    monkeypatch.setattr(leaving, "_await_exit", house.ends)
    leaving.end_conductor(cast("Session", house), "stop", None, None)
    assert house.asked == asked
