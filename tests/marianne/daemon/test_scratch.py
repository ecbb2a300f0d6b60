"""The conductor's own temporary files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from marianne.daemon.processes import scratch
from marianne.home import Home


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setattr(tempfile, "tempdir", None)
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        yield Home(place)


def test_what_a_killed_conductor_left_is_gone_and_ours_are_in_the_home(home: Home) -> None:
    left = home.path / scratch.NAME / "pymp-left"
    left.mkdir(parents=True)
    scratch.use(home)
    assert not left.exists()
    assert tempfile.gettempdir() == str(home.path / scratch.NAME)
    assert (home.path / scratch.NAME).stat().st_mode & 0o777 == 0o700


def test_a_name_too_long_for_a_socket_is_left_alone(home: Home, tmp_path: Path) -> None:
    long = Home(home.path / ("x" * scratch.LONGEST))
    tempfile.tempdir = str(home.path)
    scratch.use(long)
    assert tempfile.gettempdir() == str(home.path)
    tempfile.tempdir = str(long.path)
    scratch.use(long)
    assert tempfile.gettempdir() == "/tmp"
