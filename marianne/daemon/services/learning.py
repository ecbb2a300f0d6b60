"""Learns from how jobs end, and watches that not always the same pattern is used.

What a restart finds: every outcome that was committed. A job that ended while this actor was down
is not learned from; nothing else depends on it.
"""

from __future__ import annotations

from actors import Actor, ExitReason
from ipc import codec
from marianne.daemon.context import Context
from marianne.daemon.services.store import Store
from marianne.daemon.shared.log import get_logger
from marianne.learning.diversity import CEILING, FLOOR
from marianne.learning.outcome import outcome_of
from marianne.state.apply import OUTCOMES_KEPT
from marianne.state.changes import AddOutcome, Change, SavePattern, SetMeta
from marianne.state.reader import Reader

log = get_logger(__name__)

META = "exploration_budget"
ATTEMPTS_READ = 10_000
"""Attempts of a job that are looked at, the newest."""


class LearningActor(Actor):
    """Writes outcomes and patterns; ``context.learned`` is what others read without asking."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def on_start(self) -> None:
        """Takes up what is on disk."""
        board, config = self._context.learned, self._context.config.learning
        self._reader = Reader(self._context.home.db)
        board.fill(self._reader.learned.outcomes(), self._reader.learned.patterns())
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
        if lessons is not None and lessons.knows(outcome):
            return  # a stop had left its hooks, and so the rest of its end, to this conductor
        patterns = lessons.tested(outcome) if lessons is not None else []
        self._context.learned.learn(outcome, patterns, OUTCOMES_KEPT)
        changes: list[Change] = [AddOutcome(outcome), *map(SavePattern, patterns)]
        # A lesson that a failing disk does not take is known until the next restart.
        self._context.store.tell(Store.write, changes, kept=False)

    def used(self, config_hash: str) -> None:
        """A job was admitted by what is known of its configuration; kept with its outcome."""
        self._context.learned.use(config_hash)

    def check_diversity(self) -> dict[str, object]:
        """As :meth:`LearningHub.check_diversity`; a budget that it changes is kept."""
        board, config = self._context.learned, self._context.config.learning
        board.enabled, board.least = config.enabled, config.exploration_budget
        board.threshold, before = config.entropy_threshold, board.budget
        told = board.check_diversity()
        if board.budget != before:
            log.info("exploration", entropy=told["entropy"], budget=told["exploration_budget"])
            kept = SetMeta(META, codec.pack(board.budget))
            self._context.store.tell(Store.write, [kept], kept=False)
        return told
