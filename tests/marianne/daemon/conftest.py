"""What tests of this directory are given."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from manager_parts import Stage, stage_in
from schedule_stage import Schedules, schedules_in

from marianne.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home that is prepared, and nobody's."""
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.fixture
def held(home: Home) -> Iterator[Home]:
    """A home whose lock this process holds, as a conductor would."""
    lock = home.lock()
    assert lock is not None
    lock.write(os.getpid())
    yield home
    lock.release()


@pytest.fixture
def schedules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Schedules]:
    """The schedules' parts, with stand-ins around them."""
    with schedules_in(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """What a part of the manager stands on."""
    with stage_in(tmp_path) as stage:
        yield stage
