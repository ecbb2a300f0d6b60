"""One conductor for all tests of this directory that run something."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import warm_program

sys.path.insert(0, str(Path(__file__).parent))  # the tests use one another's tables

from compatkit import Run, Score

# The public scores together have more sheets of agents than may begin in a minute.
CONFIG = "resource_limits: {max_api_calls_per_minute: 10000}\nmax_concurrent_sheets: 25\n"
WALLS = "sandbox: {write: [workspace], network: false, isolate: true}\n"


@contextmanager
def conductor(place: Path, config: str) -> Iterator[Run]:
    """The program, with a home of its own and this configuration."""
    home = place / "home"
    environ = {**os.environ, "MARIANNE_HOME": str(home), "NO_COLOR": "1"}

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return warm_program.call(arguments, env=environ, timeout=120)

    home.mkdir(mode=0o700)
    (home / "conductor.yaml").write_text(config)
    assert run("start").returncode == 0
    yield run
    stopped = run("stop", "--force")
    assert stopped.returncode == 0, stopped.stderr


@pytest.fixture(scope="session")
def marianne(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A conductor that all share."""
    with conductor(tmp_path_factory.mktemp("m"), CONFIG) as run:
        yield run


@pytest.fixture(scope="module")
def walled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One that keeps all sheets behind walls."""
    with conductor(tmp_path_factory.mktemp("w"), CONFIG + WALLS) as run:
        yield run


@pytest.fixture
def score(marianne: Run, tmp_path: Path, request: pytest.FixtureRequest) -> Score:
    """A score to write and to play, under a job id made of the test's name."""
    return Score(marianne, tmp_path, request.node.name)
