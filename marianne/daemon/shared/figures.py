"""What is counted while a conductor runs, for metrics, where nothing else counts it.

Each field has one writer, an actor that adds where it acts; anybody reads. Actors that crash leave
it as it is. A restart of the conductor finds nothing: counters begin at 0 again, which is what who
reads them expects.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from marianne.state.changes import AddAttempt, Change

COMMIT_BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
WAIT_BOUNDS: Final = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3_600.0, 21_600.0)
RUN_BOUNDS: Final = (0.01, 0.05, 0.25, 1.0, 5.0, 30.0, 120.0, 600.0, 3_600.0, 21_600.0, 86_400.0)
"""Upper bounds of buckets, in seconds."""

MOST_INSTRUMENTS = 100
OTHER = "other"
"""What further instruments are called: each name is a series for good."""


class Histogram:
    """How many observations lie below each bound, and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds


class Figures:
    """``attempts`` by instrument and outcome, ``runs`` by instrument, and ``commits``: the store's.
    ``waits``: the scheduler's. ``committed`` and ``published`` are numbers of events: the store's
    and the publisher's. ``unserved`` is why the figures are not served, ``unsent`` why traces are
    not sent; None: they are, or nobody wants them to be.
    """

    def __init__(self) -> None:
        self.attempts: Counter[tuple[str, str]] = Counter()
        self.runs: dict[str, Histogram] = {}
        self.commits = Histogram(COMMIT_BOUNDS)
        self.waits = Histogram(WAIT_BOUNDS)
        self.restarts: Counter[str] = Counter()
        self.committed = self.published = 0
        self.unserved: str | None = None
        self.unsent: str | None = None
        self._lock = threading.Lock()

    def commit(self, changes: Iterable[Change]) -> None:
        """These are on disk."""
        for change in changes:
            if type(change) is AddAttempt:
                self._attempt(change)

    def _attempt(self, change: AddAttempt) -> None:
        instrument, result = change.instrument, change.result
        ran = self.runs.get(instrument)
        if ran is None:
            if len(self.runs) >= MOST_INSTRUMENTS:
                instrument = OTHER
            ran = self.runs.setdefault(instrument, Histogram(RUN_BOUNDS))
        ran.observe(result.seconds)
        self.attempts[instrument, result.outcome] += 1

    def restarted(self, name: str) -> None:
        """An actor of this name was started again; told by any thread."""
        with self._lock:
            self.restarts[kind_of(name)] += 1


def kind_of(name: str) -> str:
    """An actor's name without what it is for: ``job:x/worker`` is a ``job/worker``."""
    kind, colon, rest = name.partition(":")
    if not colon:
        return name
    _, slash, part = rest.partition("/")
    return kind + slash + part
