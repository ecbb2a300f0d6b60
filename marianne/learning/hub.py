"""What was learned, for those who decide by it without asking.

The hub (:mod:`marianne.daemon.services.learning`) replaces the lessons of one configuration at a
time; every reader sees old or new ones whole.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from marianne.learning.diversity import entropy, explores, has_collapsed, next_budget
from marianne.learning.estimate import ESTIMATORS, Lessons, effectiveness
from marianne.schedule.pressure import ResourceEstimate
from marianne.state.models import OutcomeRow, PatternRow
from marianne.state.retention import CONFIGURATIONS_KEPT

if TYPE_CHECKING:
    from marianne.replies.reports import Learned


class LearningHub:
    """Lessons by configuration. Safe to read from any thread."""

    def __init__(self) -> None:
        self.enabled = True
        self.budget = self.least = 0.15
        self.threshold = 0.3
        self._lessons: dict[str, Lessons] = {}  # what ran last comes last
        self._decisions = 0

    # -- for the hub ----------------------------------------------------------------------------

    def fill(self, outcomes: list[OutcomeRow], patterns: list[PatternRow]) -> None:
        """Begins with what is on disk; ``outcomes`` are newest first."""
        by_hash: dict[str, list[OutcomeRow]] = {}
        for outcome in outcomes:
            by_hash.setdefault(outcome.config_hash, []).append(outcome)
        known: dict[str, dict[str, PatternRow]] = {}
        for pattern in patterns:
            known.setdefault(pattern.config_hash, {})[pattern.name] = pattern
        self._lessons = {
            key: Lessons(tuple(by_hash[key]), known.get(key, {})) for key in reversed(by_hash)
        }

    def learn(self, outcome: OutcomeRow, patterns: list[PatternRow], keep: int) -> None:
        """Adds an outcome, and how the estimators did by it. Of so many configurations as are kept
        on disk, those that ran last are known."""
        known = self._lessons.get(outcome.config_hash)
        outcomes = (outcome, *(known.outcomes if known else ()))[:keep]
        named = {pattern.name: pattern for pattern in patterns}
        explore = known is not None and known.explore
        others = {key: one for key, one in self._lessons.items() if key != outcome.config_hash}
        if len(others) >= CONFIGURATIONS_KEPT:
            del others[next(iter(others))]
        self._lessons = {**others, outcome.config_hash: Lessons(outcomes, named, explore)}

    def use(self, config_hash: str) -> PatternRow | None:
        """Counts that a job was admitted by the present estimate; the next one may explore.

        Returns how its estimator has done by now, None where nothing is known.
        """
        known = self.lessons(config_hash)
        if known is None:
            return None
        pattern = known.pattern(known.estimator)
        pattern = replace(pattern, uses=pattern.uses + 1)
        patterns = {**known.patterns, pattern.name: pattern}
        self._decisions += 1
        explore = explores(self._decisions, self.budget)
        self._lessons[config_hash] = Lessons(known.outcomes, patterns, explore)
        return pattern

    def check_diversity(self) -> dict[str, object]:
        """Raises the exploration ``budget`` when always the same pattern is used (an entropy below
        the ``threshold``), else lets it fall to the ``least``.

        Returns ``entropy`` (0 to 1), ``collapsed`` and ``exploration_budget`` (0.05 to 0.5).
        """
        if not self.enabled:
            return {"entropy": 0.0, "collapsed": False, "exploration_budget": self.budget}
        uses = self.uses()
        collapsed = has_collapsed(uses, self.threshold)
        self.budget = next_budget(self.budget, self.least, collapsed)
        return {
            "entropy": round(entropy(uses), 3),
            "collapsed": collapsed,
            "exploration_budget": round(self.budget, 3),
        }

    # -- for everybody --------------------------------------------------------------------------

    def lessons(self, config_hash: str) -> Lessons | None:
        """All that is known of one configuration; None while learning is disabled."""
        return self._lessons.get(config_hash) if self.enabled else None

    def estimate(self, job_config_hash: str) -> ResourceEstimate | None:
        """What a job of this configuration will need; None when nothing was learned."""
        lessons = self.lessons(job_config_hash)
        return None if lessons is None else lessons.estimate()

    def uses(self) -> list[int]:
        """The use counts of all patterns that can be used, unused ones too."""
        return [
            lessons.pattern(name).uses
            for lessons in tuple(self._lessons.values())
            for name in ESTIMATORS
        ]

    def report(self, config_hash: str) -> Learned:
        """What people are shown: outcomes, estimate and patterns of one configuration, and the
        diversity and exploration of all. Memory in MB, times in seconds."""
        shown: Learned = {
            "outcomes": 0,
            "estimate": None,
            "patterns": [],
            "entropy": round(entropy(self.uses()), 3),
            "exploration_budget": round(self.budget, 3),
        }
        lessons = self.lessons(config_hash)
        if lessons is not None:
            needs = lessons.estimate()
            shown["outcomes"] = len(lessons.outcomes)
            shown["estimate"] = {
                "peak_memory_mb": needs.estimated_peak_memory_mb,
                "cpu_seconds": needs.estimated_cpu_seconds,
                "confidence": needs.confidence,
                "by": lessons.estimator,
            }
            shown["patterns"] = [
                {"name": p.name, "uses": p.uses, "effectiveness": round(effectiveness(p), 3)}
                for p in map(lessons.pattern, ESTIMATORS)
            ]
        return shown
