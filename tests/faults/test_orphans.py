"""Every way for a sheet to end, by the installed program: no process is left over.

One sheet holds all kinds of children at once; `scripts/chaos orphans` takes them one by one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from orphan_home import FEW, KINDS, WALLED_KINDS, Home, wait_for
from ways_to_die import WALLED_WAYS, WAYS, Way

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

MANY = ("sheet ends", "cancel")
"""Ways that also a tree of 200 has to end by; `scripts/chaos orphans` ends it by all."""

SLACK = 30.0
"""Seconds that a busy machine may take beyond the grace; what survives lives ten minutes."""


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[float], Home]]:
    """The home of this orphan grace: whose conductor a test leaves alive is the next one's."""
    made: dict[float, Home] = {}

    def house(orphan_grace: float) -> Home:
        if orphan_grace not in made:
            made[orphan_grace] = Home(tmp_path_factory.mktemp("house"), orphan_grace)
        return made[orphan_grace]

    yield house
    for one in made.values():
        one.marianne("stop", "--force")
        one.close()


@pytest.fixture
def homed(houses: Callable[[float], Home], tmp_path: Path) -> Iterator[Callable[[Way], Home]]:
    homes: list[Home] = []

    def home(way: Way) -> Home:
        homes.append(Home(tmp_path, house=houses(way.orphan_grace)))
        return homes[-1]

    yield home
    for one in homes:
        if one.alive():  # of a test that failed
            one.close()


@pytest.mark.parametrize("way", WAYS)
def test_nothing_survives(way: str, homed: Callable[[Way], Home]) -> None:
    home = homed(WAYS[way])
    home.run(tuple(KINDS) if way in MANY else FEW, timeout=WAYS[way].timeout)
    check(home, WAYS[way])


@pytest.mark.parametrize("way", {**WALLED_WAYS, "sheet ends": None, "KILL worker": None})
def test_behind_a_wall_nothing_survives_that_shed_everything(
    way: str, homed: Callable[[Way], Home]
) -> None:
    chosen = (WALLED_WAYS | WAYS)[way]
    home = homed(chosen)
    home.run((*FEW, *WALLED_KINDS))
    if not home.walled:
        home.close()
        pytest.skip("this machine lets nobody make control groups here")
    check(home, chosen)


@pytest.mark.parametrize("way", {**WALLED_WAYS, "sheet ends": None, "cancel": None})
def test_of_an_isolated_sheet_nothing_survives_whatever_was_shed(
    way: str, homed: Callable[[Way], Home]
) -> None:
    """By the namespace: where no control group is, and without any start."""
    chosen = (WALLED_WAYS | WAYS)[way]
    home = homed(chosen)
    home.run((*FEW, *WALLED_KINDS), isolated=True)
    check(home, chosen)


def check(home: Home, chosen: Way) -> None:
    """It happens, and soon after nobody is left."""
    counted_from = chosen.happen(home)
    left = chosen.grace + SLACK - (time.monotonic() - counted_from)
    wait_for(lambda: not home.alive() and not home.alive(), left)
    chosen.afterwards(home)
    assert home.alive() == []
