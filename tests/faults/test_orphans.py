"""Every way for a sheet to end, by the installed program: no process is left over.

One sheet holds all kinds of children at once; `scripts/chaos orphans` takes them one by one.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from orphan_home import FEW, KINDS, WALLED_KINDS, Home, wait_for
from ways_to_die import WALLED_WAYS, WAYS, Way

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

MANY = ("sheet ends", "cancel")
"""Ways that also a tree of 200 has to end by; `scripts/chaos orphans` ends it by all."""

SLACK = 30.0
"""Seconds that a busy machine may take beyond the grace; what survives lives ten minutes."""


@pytest.mark.parametrize("way", WAYS)
def test_nothing_survives(way: str, tmp_path: Path) -> None:
    home = Home(tmp_path, WAYS[way].orphan_grace)
    try:
        home.run(tuple(KINDS) if way in MANY else FEW, timeout=WAYS[way].timeout)
        check(home, WAYS[way])
    finally:
        home.close()


@pytest.mark.parametrize("way", {**WALLED_WAYS, "sheet ends": None, "KILL worker": None})
def test_behind_a_wall_nothing_survives_that_shed_everything(way: str, tmp_path: Path) -> None:
    chosen = (WALLED_WAYS | WAYS)[way]
    home = Home(tmp_path, chosen.orphan_grace)
    try:
        home.run((*FEW, *WALLED_KINDS))
        if not home.walled:
            pytest.skip("this machine lets nobody make control groups here")
        check(home, chosen)
    finally:
        home.close()


@pytest.mark.parametrize("way", {**WALLED_WAYS, "sheet ends": None, "cancel": None})
def test_of_an_isolated_sheet_nothing_survives_whatever_was_shed(way: str, tmp_path: Path) -> None:
    """By the namespace: where no control group is, and without any start."""
    chosen = (WALLED_WAYS | WAYS)[way]
    home = Home(tmp_path, chosen.orphan_grace)
    try:
        home.run((*FEW, *WALLED_KINDS), isolated=True)
        check(home, chosen)
    finally:
        home.close()


def check(home: Home, chosen: Way) -> None:
    """It happens, and soon after nobody is left."""
    counted_from = chosen.happen(home)
    left = chosen.grace + SLACK - (time.monotonic() - counted_from)
    wait_for(lambda: not home.alive() and not home.alive(), left)
    chosen.afterwards(home)
    assert home.alive() == []
