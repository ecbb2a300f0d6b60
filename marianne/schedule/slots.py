"""Slots of one kind, who holds them, and each job's fair share of them. Pure.

Scripts take the machine's processors, agents wait for another machine's: each kind has slots of its
own, and the rules of fair share hold within a kind.
"""

from __future__ import annotations

MAX_SHARES_PER_JOB = 2.0
_NEARLY = 1e-6  # sums of fractions, of which each is far more


class Slots:
    """``limit`` of them. What a sheet takes is a number, 1 if nothing else is said; one that takes
    more than there are runs alone."""

    __slots__ = ("_shared_for", "competing", "held", "limit", "taken")

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.taken = 0.0
        self.held: dict[str, float] = {}
        """By job that holds any."""
        self.competing: set[str] = set()
        """The jobs that hold any or would take one."""
        self._shared_for: tuple[int, float] = (0, limit)

    @property
    def fair_share(self) -> float:
        """For each job that competes now; never below one."""
        return max(1.0, self.limit / max(1, len(self.competing)))

    @property
    def hard_cap(self) -> int:
        """What one job may hold at most; never below one."""
        return max(1, int(self.fair_share * MAX_SHARES_PER_JOB))

    @property
    def full(self) -> bool:
        """Whether not even the smallest sheet may begin."""
        return self.taken > self.limit - _NEARLY

    def fits(self, cost: float) -> bool:
        """Whether a sheet that takes so much may begin."""
        return not self.held or self.taken + cost < self.limit + _NEARLY

    def take(self, job_id: str, cost: float) -> None:
        """A sheet of the job holds so much more, whatever the limit says."""
        self.taken += cost
        self.held[job_id] = self.held.get(job_id, 0.0) + cost

    def give(self, job_id: str, cost: float) -> None:
        """A sheet of the job holds so much no more."""
        left = self.held[job_id] - cost
        if left < _NEARLY:
            del self.held[job_id]
        else:
            self.held[job_id] = left
        self.taken = self.taken - cost if self.held else 0.0

    def share_changed(self) -> bool:
        """Whether the fair share is another than at the last call."""
        before, self._shared_for = self._shared_for, (len(self.competing), self.limit)
        return before != self._shared_for
