"""One browser, one conductor and one server of pages for all tests of this directory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from browsing import CHROMIUM, DRIVER, Browser, Pages, pages
from e2e_marianne import Marianne, conductor

HOW = "on Debian: apt-get install chromium chromium-driver (scripts/test does so as root)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = f"{Path(__file__).parent}/"
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None or DRIVER is None:
        pytest.skip(f"no {'chromium' if CHROMIUM is None else 'chromedriver'} here; {HOW}")
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.driver.quit()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marianne]:
    with conductor(tmp_path_factory.mktemp("web")) as program:
        yield program


@pytest.fixture(scope="session")
def served(running: Marianne) -> Iterator[Pages]:
    with pages(running, "--write") as served:
        yield served


@pytest.fixture
def marianne(running: Marianne, tmp_path: Path) -> Iterator[Marianne]:
    """The program with a place of the test's own, and the conductor of all."""
    yield Marianne(tmp_path, running.home)
    running("cancel", "--all", "--yes", code=None)


@pytest.fixture
def browser(chromium: Browser, served: Pages) -> Iterator[Browser]:
    """One that has entered. What a page's script does wrong fails the test."""
    chromium.enter(served)
    chromium.complaints()
    yield chromium
    complaints = chromium.complaints()
    chromium.driver.get("about:blank")
    assert complaints == []
