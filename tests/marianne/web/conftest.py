"""A home, and a conductor of paper in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from marianne.home import Home

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from cli_fake import FakeConductor


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    place = Home(tmp_path / "home")
    place.prepare()
    monkeypatch.setenv("MARIANNE_HOME", str(place.path))
    return place


@pytest.fixture
def conductor(home: Home) -> Iterator[FakeConductor]:
    with FakeConductor(home) as fake:
        yield fake
