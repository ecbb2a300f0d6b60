"""Requests whose actor died while they waited, so that none can kill it again and again."""

from __future__ import annotations

from collections import OrderedDict

REMEMBERED = 1_000


class Deaths:
    """The ids of the last 1,000 such requests. Every step of it is atomic: many threads ask."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()

    def again(self, request_id: str) -> bool:
        """Notes a death; whether it is not the first one under this id."""
        known = request_id in self._seen
        self._seen[request_id] = None
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return known
