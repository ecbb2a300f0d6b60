"""Every way for a sheet to end, by the installed program: no process is left over.

One sheet holds all kinds of children at once; `scripts/chaos orphans` takes them one by one.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from orphan_home import Home, wait_for
from ways_to_die import WAYS

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

SLACK = 30.0
"""Seconds that a busy machine may take beyond the grace; what survives lives ten minutes."""


@pytest.mark.parametrize("way", WAYS)
def test_nothing_survives(way: str, tmp_path: Path) -> None:
    chosen = WAYS[way]
    home = Home(tmp_path, chosen.orphan_grace)
    try:
        home.run(timeout=chosen.timeout)
        counted_from = chosen.happen(home)
        left = chosen.grace + SLACK - (time.monotonic() - counted_from)
        wait_for(lambda: not home.alive() and not home.alive(), left)
        chosen.afterwards(home)
        assert home.alive() == []
    finally:
        home.close()
