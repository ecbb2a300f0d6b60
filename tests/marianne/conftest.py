"""A control group that a test may divide, where this machine has any."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from marianne.walls import cgroup_place
from marianne.walls.cgroups import Group


@pytest.fixture
def yard() -> Iterator[Path]:
    """A new group below the one that the tests run in; what is left in it is killed."""
    try:
        place = cgroup_place.find()
        cgroup_place.try_out(place)
    except cgroup_place.MissingError as why:
        pytest.skip(str(why))
    group = Group.make(os.path.join(place.path, f"marianne-test-{uuid4().hex}"))
    yield Path(group.path)
    assert group.empty()
    assert group.remove()
