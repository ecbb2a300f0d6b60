"""The events that came last, ready to be sent to any number of pages."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

KEPT: Final = 5_000
"""Of more than these a page that lags asks the conductor."""


def message(name: str, data: Any, number: int | None = None) -> bytes:
    """A Server-Sent Event. ``number`` is what a browser says that it has when it comes back."""
    head = "" if number is None else f"id: {number}\n"
    # JSON has no line breaks outside its strings, and escapes those within.
    return f"{head}event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def log_message(event: dict[str, Any]) -> bytes:
    """An event of the conductor; its id is its number."""
    return message("log", event, event["seq"])


class Hub:
    """Each event is written out once, however many pages want it."""

    def __init__(self, kept: int = KEPT) -> None:
        self.life = 0
        """Which one this is of the state's: 0 before anything is known. A state that was put back
        from a copy counts its events anew."""
        self.last = 0
        self._from = 0
        """Up to this number nothing is kept."""
        self._kept = kept
        self._events: deque[tuple[int, str | None, bytes]] = deque()
        self._made: dict[tuple[int, str | None], bytes] = {}

    def begin(self, last: int) -> None:
        """The events after this number will be added."""
        self.life += 1
        self.last = self._from = last
        self._events.clear()
        self._made.clear()

    def add(self, events: Iterable[dict[str, Any]]) -> None:
        """They happened, in this order, after all that is known."""
        self._made.clear()
        for event in events:
            if event["seq"] <= self.last:
                continue
            self._events.append((event["seq"], event["job_id"], log_message(event)))
            self.last = event["seq"]
        while len(self._events) > self._kept:
            self._from = self._events.popleft()[0]

    def after(self, seq: int, job: str | None) -> bytes | None:
        """The messages after this number, of one job or of all; None if not all are kept."""
        if seq < self._from:
            return None
        made = self._made.get((seq, job))
        if made is None:
            found = []
            for number, of, told in reversed(self._events):
                if number <= seq:
                    break
                if job is None or of == job:
                    found.append(told)
            made = self._made[seq, job] = b"".join(reversed(found))
        return made
