"""Places where a test may make things go wrong, by name or by chance, and then heal them."""

from __future__ import annotations

import random
from collections import Counter


class Fault(Exception):  # noqa: N818  # it is put in, it is no error of the code
    """What a fault point raises unless told otherwise."""


class Faults:
    """The faults of one simulation."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed ^ 0xFA017)
        self._planned: dict[str, list[BaseException]] = {}
        self._rate = 0.0
        self._points: frozenset[str] | None = None
        self.raised: Counter[str] = Counter()

    def plan(self, point: str, *errors: BaseException) -> None:
        """The next times that `point` is passed, raises these, one each time."""
        self._planned.setdefault(point, []).extend(errors)

    def by_chance(self, rate: float, *points: str) -> None:
        """From now on each passing of one of the points (default: any) fails with this chance."""
        self._rate = rate
        self._points = frozenset(points) or None

    def heal(self) -> None:
        """Nothing fails any more."""
        self._rate = 0.0
        self._planned.clear()

    def pass_point(self, point: str) -> None:
        planned = self._planned.get(point)
        if planned:
            self.raised[point] += 1
            raise planned.pop(0)
        counts = self._points is None or point in self._points
        if counts and self._rate and self._random.random() < self._rate:
            self.raised[point] += 1
            raise Fault(point)


def fault_point(name: str) -> None:
    """Marks a place that may fail in a simulation. Does nothing outside of one."""
    from actors.testing.simulation import Simulation

    sim = Simulation.active
    if sim is not None:
        sim.faults.pass_point(name)
