"""The name of the time zone that this command runs in."""

from __future__ import annotations

import os

PLACE = "/usr/share/zoneinfo/"
_LOCALTIME = "/etc/localtime"


def local_zone(localtime: str = _LOCALTIME) -> str:
    """As ``TZ`` names it, else where ``localtime`` leads; UTC where neither has a name."""
    named = os.environ.get("TZ", "").removeprefix(":").removeprefix(PLACE)
    if named:
        return named
    path = os.path.realpath(localtime)
    return path.removeprefix(PLACE) if path.startswith(PLACE) else "UTC"
