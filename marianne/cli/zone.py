"""The name of the time zone that this command runs in."""

from __future__ import annotations

import os

PLACE = "/usr/share/zoneinfo/"


def local_zone(etc: str = "/etc") -> str:
    """As ``TZ`` names it, else where ``localtime`` in ``etc`` leads, else as Debian's ``timezone``
    there has it; UTC where none has a name."""
    named = os.environ.get("TZ", "").removeprefix(":").removeprefix(PLACE)
    if named:
        return named
    path = os.path.realpath(f"{etc}/localtime")
    if path.startswith(PLACE):
        return path.removeprefix(PLACE)
    try:
        with open(f"{etc}/timezone", encoding="utf-8") as file:
            return file.read(100).strip() or "UTC"
    except (OSError, ValueError):
        return "UTC"
