"""What tests of this directory are given."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

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
