from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from stage import Stage
from worlds import World, wait_for

from actors import System
from actors.testing import Simulation, plugin
from actors.testing.plugin import seeds

__all__ = ["seeds"]


def pytest_addoption(parser: pytest.Parser) -> None:
    plugin.pytest_addoption(parser)
    parser.addoption("--histories", type=int, default=60, help="how many are compared with OTP")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Who explores ten thousand schedules has the time for them, on a busy machine too."""
    seconds = max(180.0, 0.3 * config.getoption("--seeds", plugin.DEFAULT_SEEDS))
    for item in items:
        if "seeds" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(seconds))


@pytest.fixture
def system() -> Iterator[System]:
    system = System("test")
    yield system
    system.shutdown(timeout=5.0)


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Waits until a condition holds; fails after 30 seconds."""
    return wait_for


@pytest.fixture(params=["threads", "simulated"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The test runs twice: on real threads, and on the deterministic system."""
    if request.param == "threads":
        system = System("test")
        yield World(system, wait_for)
        system.shutdown(timeout=5.0)
        return
    with Simulation(seed=1) as sim:
        yield World(sim.system, sim.until)
        sim.system.shutdown(timeout=5.0)


@pytest.fixture
def stage(world: World) -> Stage:
    return Stage(world)
