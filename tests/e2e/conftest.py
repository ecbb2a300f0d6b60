"""A home for each test, and the proof that nothing of it is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_marianne import Marianne, until


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def marianne(tmp_path: Path) -> Iterator[Marianne]:
    """The program, with a home of its own; at the end no process of it lives."""
    program = Marianne(tmp_path)
    yield program
    program("stop", "--force", code=None)
    until(lambda: not program.processes(), 10.0)
