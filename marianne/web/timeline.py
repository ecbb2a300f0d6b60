"""When the attempts of a job ran, kept as few bytes each, told as few figures as a page can show.

Pure. Times are seconds since the epoch, memory is in MB, cost in dollars.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Final

DRAWN: Final = 3_000
"""Of more attempts than these within a time only sums are told."""

PARTS: Final = 240
"""Into which the time is divided then."""

GROUPS: Final = b"cfi"
"""Outcomes that are told apart; what was skipped has taken no time."""

_TYPES: Final = {
    "ended": "d",
    "began": "d",
    "memory_mb": "f",
    "cost_usd": "f",
    "sheets": "I",
    "attempts": "I",
    "outcomes": "B",
}


class Attempts:
    """Those of one job that have ended, in the order of their ends."""

    def __init__(self) -> None:
        self._columns: dict[str, array[Any]] = {name: array(t) for name, t in _TYPES.items()}
        self.running: list[tuple[int, float]] = []
        """What runs: the sheets, each with when it began."""
        self._ordered = 0

    def __len__(self) -> int:
        return len(self._columns["ended"])

    @property
    def newest(self) -> float:
        """The last end; 0 where there is none."""
        ended = self._columns["ended"]
        return float(ended[-1]) if ended else 0.0

    def cut(self, since: float) -> None:
        """Forgets what ended then or later."""
        self._ordered = bisect_left(self._columns["ended"], since)
        for column in self._columns.values():
            del column[self._ordered :]

    def add(self, page: Mapping[str, Any]) -> None:
        """Takes an answer to ``job.timeline``; :meth:`order` after the last."""
        for name, column in self._columns.items():
            column.extend(page[name])

    def order(self) -> None:
        """Brings what was added into the order of its ends."""
        added = range(self._ordered, len(self))
        order = sorted(added, key=self._columns["ended"].__getitem__)
        for name, column in self._columns.items():
            column[self._ordered :] = array(_TYPES[name], (column[place] for place in order))

    def told(self, first: float | None, last: float | None, now: float) -> dict[str, Any]:
        """What ran between two times, or from the first begin to the last end: each attempt, or
        what they are together in PARTS of that time."""
        begins = [min(self._columns["began"], default=now), *(began for _, began in self.running)]
        first = min(begins) if first is None else first
        last = (now if self.running else max(self.newest, first)) if last is None else last
        last = max(last, first + 0.001)
        began, ended = self._columns["began"], self._columns["ended"]
        from_ = bisect_left(ended, first)
        inside = [place for place in range(from_, len(self)) if began[place] <= last]
        return {
            "total": len(self),
            "first": first,
            "last": last,
            "shown": len(inside),
            "running": [
                [num, round(begin - first, 3)] for num, begin in self.running if begin <= last
            ],
            **self._among(inside, first, last),
        }

    def _among(self, inside: Sequence[int], first: float, last: float) -> dict[str, Any]:
        if len(inside) <= DRAWN:
            return {"attempts": [self._row(place, first) for place in inside], "parts": None}
        return {"attempts": None, "parts": self._parts(inside, first, last)}

    def _row(self, place: int, first: float) -> list[Any]:
        """Sheet, attempt, outcome, begin and end (after ``first``), memory, cost."""
        columns = self._columns
        return [
            columns["sheets"][place],
            columns["attempts"][place],
            chr(columns["outcomes"][place]),
            round(columns["began"][place] - first, 3),
            round(columns["ended"][place] - first, 3),
            round(columns["memory_mb"][place], 1),
            round(columns["cost_usd"][place], 6),
        ]

    def _parts(self, inside: Sequence[int], first: float, last: float) -> dict[str, Any]:
        """For each part of the time: how many ran in the mean, by outcome; how many ended; the most
        memory of one that ended; what was spent up to its end."""
        width = (last - first) / PARTS
        peak, cost, ended = [0.0] * PARTS, [0.0] * PARTS, [0] * PARTS
        busy = {letter: _Busy() for letter in GROUPS}
        columns = self._columns
        for place in inside:
            begin = max(0.0, (columns["began"][place] - first) / width)
            end = (columns["ended"][place] - first) / width
            group = busy.get(columns["outcomes"][place])
            if group is not None:
                group.add(begin, min(end, PARTS))
            if end <= PARTS:
                part = min(int(end), PARTS - 1)
                ended[part] += 1
                peak[part] = max(peak[part], columns["memory_mb"][place])
                cost[part] += columns["cost_usd"][place]
        return {
            "busy": {chr(letter): group.means() for letter, group in busy.items()},
            "ended": ended,
            "memory_mb": [round(one, 1) for one in peak],
            "cost_usd": [round(one, 6) for one in accumulate(cost)],
        }


class _Busy:
    """How many ran in each part: those that begin or end within it, and those that fill it."""

    def __init__(self) -> None:
        self._partly = [0.0] * (PARTS + 1)
        self._filled = [0] * (PARTS + 2)

    def add(self, begin: float, end: float) -> None:
        """One more, from ``begin`` to ``end`` in parts."""
        i, j = int(begin), int(end)
        if i == j:
            self._partly[i] += end - begin
            return
        self._partly[i] += i + 1 - begin
        self._partly[j] += end - j
        self._filled[i + 1] += 1
        self._filled[j] -= 1

    def means(self) -> list[float]:
        """Of each part."""
        filled = accumulate(self._filled)
        return [round(a + b, 3) for a, b in zip(self._partly[:PARTS], filled, strict=False)]
