"""Learns from how jobs end, and watches that not always the same pattern is used.

What a restart finds: every outcome that was committed. A job that ended while this actor was down
is not learned from; nothing else depends on it.
"""

from __future__ import annotations

from typing import Any

from actors import Actor, ExitReason
from ipc import codec
from marianne.daemon.context import Context
from marianne.daemon.log import get_logger
from marianne.daemon.store import Store
from marianne.learning.diversity import CEILING, FLOOR, entropy, has_collapsed, next_budget
from marianne.learning.outcome import outcome_of
from marianne.state.apply import OUTCOMES_KEPT
from marianne.state.changes import AddOutcome, Change, SavePattern, SetMeta
from marianne.state.reader import Reader

log = get_logger(__name__)

META = "exploration_budget"
ATTEMPTS_READ = 10_000
"""Attempts of a job that are looked at, the newest."""


class LearningHub(Actor):
    """Writes outcomes and patterns; ``context.learned`` is what others read without asking."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def on_start(self) -> None:
        """Takes up what is on disk."""
        board, config = self._context.learned, self._context.config.learning
        self._reader = Reader(self._context.home.db)
        board.fill(self._reader.outcomes(), self._reader.patterns())
        kept = self._reader.meta(META)
        budget = float(codec.unpack(kept)) if kept else config.exploration_budget
        board.enabled = config.enabled
        board.budget = min(CEILING, max(FLOOR, budget))

    def on_stop(self, reason: ExitReason) -> None:
        """Closes the reader: the last connection to go folds the log into the database."""
        self._reader.close()

    def job_ended(self, job_id: str) -> None:
        """A job is over, on disk: what it used becomes an outcome of its configuration.

        Not of a cancelled job, nor of an ending that ``learning.analyze_on`` does not name.
        """
        config = self._context.config.learning
        seen = self._context.resources.peak_by_job.pop(job_id, 0.0)
        job = self._reader.job(job_id) if config.enabled else None
        if job is None:
            return
        outcome = outcome_of(job, self._reader.attempts(job_id, limit=ATTEMPTS_READ), seen)
        if outcome is None:
            return
        if ("failure" if outcome.category else "success") not in config.analyze_on:
            return
        lessons = self._context.learned.lessons(outcome.config_hash)
        patterns = lessons.tested(outcome) if lessons is not None else []
        self._context.learned.learn(outcome, patterns, OUTCOMES_KEPT)
        changes: list[Change] = [AddOutcome(outcome), *map(SavePattern, patterns)]
        # A lesson that a failing disk does not take is known until the next restart.
        self._context.store.tell(Store.write, changes, kept=False)

    def used(self, config_hash: str) -> None:
        """A job was admitted by what is known of its configuration; kept with its outcome."""
        self._context.learned.use(config_hash)

    def check_diversity(self) -> dict[str, Any]:
        """Raises the exploration budget when always the same pattern is used, else lets it fall.

        Answers ``entropy`` (0 to 1), ``collapsed`` and ``exploration_budget`` (0.05 to 0.5).
        """
        board, config = self._context.learned, self._context.config.learning
        if not config.enabled:
            return {"entropy": 0.0, "collapsed": False, "exploration_budget": board.budget}
        uses = board.uses()
        collapsed = has_collapsed(uses, config.entropy_threshold)
        budget = next_budget(board.budget, config.exploration_budget, collapsed)
        if budget != board.budget:
            log.info("exploration", entropy=round(entropy(uses), 3), budget=round(budget, 3))
            board.budget = budget
            kept = SetMeta(META, codec.pack(budget))
            self._context.store.tell(Store.write, [kept], kept=False)
        return {
            "entropy": round(entropy(uses), 3),
            "collapsed": collapsed,
            "exploration_budget": round(budget, 3),
        }
