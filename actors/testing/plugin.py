"""For pytest: `--seeds N`, `--seed S` and the fixture `seeds`.

Import the two names in a conftest, or load the plugin with `-p actors.testing.plugin`.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

DEFAULT_SEEDS = 200


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("actors")
    group.addoption(
        "--seeds", type=int, default=DEFAULT_SEEDS, help="how many schedules each test explores"
    )
    group.addoption("--seed", type=int, default=None, help="explore only this one")


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> Sequence[int]:
    """The seeds to explore."""
    # The defaults count when the options were not registered: pytest asks only early conftests.
    one = request.config.getoption("--seed", None)
    if one is not None:
        return [one]
    return range(request.config.getoption("--seeds", DEFAULT_SEEDS))
