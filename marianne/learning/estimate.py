"""What a job will need, from what jobs of the same configuration had used. Pure.

There are three ways to estimate (estimators): by the most that was ever used, by what was used
last, by the usual. Each is, for one configuration, a RESOURCE_CORRELATION pattern with a count of
its uses and an effectiveness: how near it came, whenever the truth was known afterwards. The most
effective one is used; now and then the least used one instead (exploration), so that one that was
unlucky at first is not forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from marianne.records import dataclass
from marianne.schedule.pressure import ResourceEstimate
from marianne.state.models import OutcomeRow, PatternRow

UNPROVED = 0.5
"""The effectiveness of an estimator that was never tested."""

# In the order in which they are preferred when they are equally good: the cautious one first.
ESTIMATORS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "most": max,
    "last": lambda newest_first: newest_first[0],
    "usual": lambda newest_first: sorted(newest_first)[len(newest_first) // 2],
}


@dataclass(frozen=True, slots=True)
class Lessons:
    """All that is known of one configuration; ``outcomes`` are newest first and not empty.

    ``explore`` says that the next estimate is by the least used estimator.
    """

    outcomes: tuple[OutcomeRow, ...]
    patterns: Mapping[str, PatternRow]
    explore: bool = False

    @property
    def config_hash(self) -> str:
        """The configuration that it is about."""
        return self.outcomes[0].config_hash

    def knows(self, outcome: OutcomeRow) -> bool:
        """Whether this end of this job is among them."""
        end = outcome.job_id, outcome.finished_at
        return any((known.job_id, known.finished_at) == end for known in self.outcomes)

    def pattern(self, name: str) -> PatternRow:
        """How an estimator has done."""
        return self.patterns.get(name) or PatternRow(self.config_hash, name)

    def by(self, name: str) -> tuple[float, float]:
        """Memory (MB) and CPU seconds by one estimator.

        Jobs that failed may have ended early: they count only where none was ever completed.
        """
        done = [o for o in self.outcomes if o.category is None] or list(self.outcomes)
        way = ESTIMATORS[name]
        return way([o.peak_memory_mb for o in done]), way([o.cpu_seconds for o in done])

    @property
    def estimator(self) -> str:
        """The most effective estimator, or the least used one when it is time to explore."""
        if self.explore:
            return min(ESTIMATORS, key=lambda name: self.pattern(name).uses)
        return max(ESTIMATORS, key=lambda name: effectiveness(self.pattern(name)))

    def estimate(self) -> ResourceEstimate:
        """What the next job of this configuration will need."""
        memory, cpu = self.by(self.estimator)
        return ResourceEstimate(round(memory, 1), round(cpu, 3), round(self.confidence, 3))

    @property
    def confidence(self) -> float:
        """The mean effectiveness of its estimators, 0 to 1."""
        return min(1.0, sum(effectiveness(self.pattern(n)) for n in ESTIMATORS) / len(ESTIMATORS))

    def tested(self, truth: OutcomeRow) -> list[PatternRow]:
        """The patterns after their estimates are marked by what was used in truth."""
        return [
            replace(
                pattern,
                tests=pattern.tests + 1,
                score=pattern.score + nearness(self.by(name)[0], truth.peak_memory_mb),
            )
            for name in ESTIMATORS
            for pattern in (self.pattern(name),)
        ]


def effectiveness(pattern: PatternRow) -> float:
    """How near an estimator came on average, 0 to 1; untested it is 0.5, which fades."""
    return (UNPROVED + pattern.score) / (1 + pattern.tests)


def nearness(estimate: float, truth: float) -> float:
    """The smaller as a share of the greater: 1 is exact, 0.5 is half or twice the truth."""
    greater = max(estimate, truth)
    return min(estimate, truth) / greater if greater > 0 else 1.0
