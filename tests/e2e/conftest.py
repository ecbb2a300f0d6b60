"""A home for each test, and the proof that nothing of it is left."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from e2e_marianne import USUAL, Marianne, conductor, until

from marianne.crashpoints import VARIABLE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = f"{Path(__file__).parent}/"
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.slow)
    # A worker keeps the head of its share, and what is at a tail is taken by whoever is idle: then
    # each of these made a Slurm of its own and waited for the others', as there is one at a time.
    # Within them what has to wait for long has begun with the module, and is looked at last.
    items.sort(
        key=lambda item: (
            item.path.name != "test_slurm.py",
            item.path.name == "test_slurm.py" and item.get_closest_marker("late") is not None,
        )
    )


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marianne]:
    """A conductor for all tests that do nothing to it but ask."""
    with conductor(tmp_path_factory.mktemp("shared")) as program:
        yield program


@pytest.fixture
def shared(running: Marianne, tmp_path: Path) -> Iterator[Marianne]:
    """The program with a place of the test's own and the home of others, whose conductor runs.

    Other tests' jobs are in its lists, and names may be taken: a test goes by the ids it is given.
    """
    before = running.pids()
    yield Marianne(tmp_path, running.home)
    running("cancel", "--all", "--yes", code=None)
    assert running.pids() == before, "a test that ends the conductor needs one of its own"


@pytest.fixture(scope="session")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marianne]:
    """The home of tests that kill, stop and restart its conductor, or change its settings."""
    with conductor(tmp_path_factory.mktemp("killed"), json.dumps(USUAL)) as program:
        yield program


@pytest.fixture(scope="module")
def ordered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marianne]:
    """One that dies as it is ordered to, for the tests of a module; see marianne.crashpoints."""
    place = tmp_path_factory.mktemp("ordered")
    (place / "points").mkdir()
    with conductor(place, env={VARIABLE: str(place / "points")}) as program:
        yield program


@pytest.fixture
def mortal(killed: Marianne, tmp_path: Path) -> Iterator[Marianne]:
    """As ``shared``, with a conductor that may be killed: the next test starts another."""
    if not killed("start", "--json").json["already_running"]:
        killed("cancel", "--all", "--yes", code=None)  # what a stop had left for its next start
    program = Marianne(tmp_path, killed.home)
    program.env = dict(killed.env)
    yield program
    killed("cancel", "--all", "--yes", code=None)


@pytest.fixture
def configured(mortal: Marianne) -> Iterator[Callable[[str], Marianne]]:
    """``mortal`` with these settings, all of them such as a reload can change."""

    def configure(text: str) -> Marianne:
        mortal.configure(text)
        return mortal

    yield configure
    mortal("cancel", "--all", "--yes", code=None)  # by the graces of the test
    mortal.configure()


@pytest.fixture
def marianne(own: Marianne) -> Marianne:
    """The program. A module whose tests share a conductor says so by a fixture of this name."""
    return own


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Marianne]:
    """The program, with a home of its own; at the end no process of it lives."""
    program = Marianne(tmp_path)
    yield program
    program("stop", "--force", code=None)
    until(lambda: not program.processes())
    assert program.mistakes() == []
