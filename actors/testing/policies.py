"""Who runs next: the only thing about a schedule that is chosen."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.testing.threads import SimThread


class Policy(Protocol):
    """Chooses among the threads that can run. `me` is None when the running one has to wait."""

    def pick(self, ready: Sequence[SimThread], me: SimThread | None) -> SimThread: ...


class RandomWalk:
    """Every thread is as likely as any other, at every step."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def pick(self, ready: Sequence[SimThread], me: SimThread | None) -> SimThread:
        return ready[int(self._random.random() * len(ready))]


class PriorityChanges:
    """Probabilistic concurrency testing (Burckhardt and others, 2010).

    The thread of the highest priority runs until one of `depth - 1` random steps lowers it. It
    finds bugs that need few, well placed switches, which a random walk almost never makes.
    """

    def __init__(self, seed: int, depth: int = 3, steps: int = 400) -> None:
        self._random = random.Random(seed)
        self._priorities: dict[int, float] = {}
        self._step = 0
        self._changes = {self._random.randrange(steps) for _ in range(depth - 1)}

    def pick(self, ready: Sequence[SimThread], me: SimThread | None) -> SimThread:
        self._step += 1
        if self._step in self._changes and me is not None:
            self._priorities[me.id] = -self._step
        return max(ready, key=self._priority)

    def _priority(self, thread: SimThread) -> float:
        found = self._priorities.get(thread.id)
        if found is None:
            found = self._priorities[thread.id] = self._random.random()
        return found


class Preemptions:
    """The running thread goes on, except after given numbers of steps.

    `plan` holds pairs (steps to wait, which of the others). Hypothesis shrinks it to the few
    switches that matter.
    """

    def __init__(self, plan: Sequence[tuple[int, int]]) -> None:
        self._plan = list(reversed(plan))
        self._left = self._plan[-1][0] if self._plan else -1

    def pick(self, ready: Sequence[SimThread], me: SimThread | None) -> SimThread:
        if self._left == 0:
            which = self._plan.pop()[1]
            self._left = self._plan[-1][0] if self._plan else -1
            return ready[which % len(ready)]
        if self._left > 0:
            self._left -= 1
        return me if me is not None else ready[0]


class Replay:
    """A recorded schedule (`Simulation.schedule`), then the first thread that can run."""

    def __init__(self, schedule: Sequence[int]) -> None:
        self._schedule = list(reversed(schedule))

    def pick(self, ready: Sequence[SimThread], me: SimThread | None) -> SimThread:
        wanted = self._schedule.pop() if self._schedule else ready[0].id
        for thread in ready:
            if thread.id == wanted:
                return thread
        return ready[0]
