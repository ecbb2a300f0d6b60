"""An open database and a reader of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from marianne.state.database import Database
from marianne.state.reader import Reader


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with Database(path) as database:
        yield database


@pytest.fixture
def reader(database: Database, path: Path) -> Iterator[Reader]:
    with Reader(path) as reader:
        yield reader
