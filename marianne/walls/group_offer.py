"""What this machine offers of control groups, in words."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from marianne.walls import cgroup_place
from marianne.walls.cgroups import Group

NAME = "control groups"


class GroupOffer(NamedTuple):
    """``words`` say what they are good for, or why there are none and what would bring them;
    ``missing`` is why, of each controller that is not there."""

    name: str
    there: bool
    words: str
    missing: Mapping[str, str]


def control_groups(base: str | None = None) -> GroupOffer:
    """``base`` is where a conductor has its own, if it has: that one counts then, else what one
    would have that this process started. Tried out, and nothing is left of it."""
    try:
        if base is not None and os.path.isdir(base):
            place = cgroup_place.at(os.path.dirname(base))
            passed = Group(place.path).read("cgroup.subtree_control").split()
        else:
            place = cgroup_place.find()
            cgroup_place.try_out(place)
            passed = []
    except cgroup_place.MissingError as why:
        return GroupOffer(NAME, False, str(why), dict.fromkeys(cgroup_place.CONTROLLERS, str(why)))
    found = cgroup_place.offered_controllers(place)
    missing = {name: why for name, why in found.items() if name not in passed}
    there = [name for name in cgroup_place.CONTROLLERS if name not in missing]
    keep = f"and keep its limits by {', '.join(there)}" if there else "and keep no limits"
    return GroupOffer(NAME, True, f"they end all of a sheet, {keep} (below {place.path})", missing)
