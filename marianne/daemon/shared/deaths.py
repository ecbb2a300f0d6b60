"""Requests whose actor died while they waited, so that none can kill it again and again."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

REMEMBERED: Final = 1_000
SERVING, WAITING, ENOUGH = 3, 1, 6
"""An actor that dies while it serves a request accuses it; one that dies while the request waits
hardly does, since it dies before all that wait."""


class Deaths:
    """The last 1,000 such requests. Every step of it is atomic: many threads ask."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, int] = OrderedDict()

    def enough(self, request_id: str, serving: bool) -> bool:
        """Notes a death; whether there were too many under this id: two while it was served, or
        six while it waited."""
        weight = self._seen.get(request_id, 0) + (SERVING if serving else WAITING)
        self._seen[request_id] = weight
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return weight >= ENOUGH
