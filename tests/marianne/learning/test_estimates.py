"""What is learned of a configuration: estimates, how near they came, and their diversity."""

from __future__ import annotations

from dataclasses import replace

import pytest

from marianne.learning.diversity import (
    CEILING,
    FLOOR,
    entropy,
    explores,
    has_collapsed,
    next_budget,
)
from marianne.learning.estimate import ESTIMATORS, Lessons, effectiveness
from marianne.learning.hub import LearningHub
from marianne.learning.outcome import outcome_of, peak_together
from marianne.model.result import AttemptResult
from marianne.state.models import JobRow, JobStatus, OutcomeRow, PatternRow
from marianne.state.retention import CONFIGURATIONS_KEPT


def outcome(memory: float, category: str | None = None) -> OutcomeRow:
    return OutcomeRow("hash", "job", 10.0, memory, memory / 100, 5.0, category)


def attempt(num: int, start: float, end: float, memory: float, **more: object) -> AttemptResult:
    fields = {"outcome": "completed", **more}
    return AttemptResult(
        num, 1, started_at=start, finished_at=end, peak_memory_mb=memory, cpu_seconds=1.0, **fields
    )  # type: ignore[arg-type]


def job(status: JobStatus) -> JobRow:
    row = JobRow("job", "job", status, "/w", 0.0, 1, config_hash="hash")
    row.started_at, row.finished_at, row.worked = 2.0, 10.0, 8.0
    return row


def taught(*memories: float) -> Lessons:
    """Lessons after jobs that used so much, in that order."""
    board = LearningHub()
    for memory in memories:
        known = board.lessons("hash")
        new = outcome(memory)
        board.learn(new, known.tested(new) if known else [], keep=20)
    lessons = board.lessons("hash")
    assert lessons is not None
    return lessons


def test_what_ran_at_one_time_adds_up_and_what_followed_does_not() -> None:
    together = [attempt(1, 0, 2, 100), attempt(2, 1, 3, 200), attempt(3, 3, 4, 250)]
    assert peak_together(together) == 300
    assert peak_together([]) == 0


def test_an_outcome_has_the_memory_the_time_and_the_reason() -> None:
    attempts = [attempt(2, 3, 4, 50, outcome="failed", category="timeout"), attempt(1, 2, 3, 80)]
    failed = outcome_of(job(JobStatus.FAILED), attempts, seen_mb=90.0)
    assert failed == OutcomeRow("hash", "job", 10.0, 90.0, 2.0, 8.0, "timeout")
    done = outcome_of(job(JobStatus.COMPLETED), attempts, 0.0)
    assert done is not None
    assert (done.peak_memory_mb, done.category) == (80.0, None)


def test_a_cancelled_job_and_one_that_never_ran_teach_nothing() -> None:
    assert outcome_of(job(JobStatus.CANCELLED), [attempt(1, 0, 1, 9)], 0.0) is None
    assert outcome_of(job(JobStatus.FAILED), [], 0.0) is None


def test_one_run_is_believed_by_half() -> None:
    lessons = taught(300)
    estimate = lessons.estimate()
    assert estimate.estimated_peak_memory_mb == 300
    assert estimate.estimated_cpu_seconds == 3.0
    assert (lessons.estimator, estimate.confidence) == ("most", 0.5)


def test_confidence_grows_with_estimates_that_hold_and_falls_with_those_that_do_not() -> None:
    assert taught(300, 300, 300, 300).estimate().confidence == 0.875
    assert taught(300, 3, 300, 3, 300, 3).estimate().confidence < 0.35


def test_the_estimator_that_came_nearest_is_used() -> None:
    once_large = taught(1000, 100, 100, 100, 100)
    assert once_large.estimate().estimated_peak_memory_mb == 100
    assert effectiveness(once_large.pattern("last")) > effectiveness(once_large.pattern("most"))


def test_exploring_uses_the_least_used_estimator() -> None:
    lessons = taught(300, 300)
    patterns = {**lessons.patterns, "most": PatternRow("hash", "most", uses=3)}
    assert Lessons(lessons.outcomes, patterns, explore=True).estimator == "last"


def test_failed_jobs_count_only_where_none_was_completed() -> None:
    failed = outcome(900, "exit")
    assert Lessons((failed, outcome(300)), {}).by("most")[0] == 300
    assert Lessons((failed,), {}).by("most")[0] == 900


@pytest.mark.parametrize(
    ("uses", "diversity"),
    [([], 0.0), ([5], 0.0), ([0, 0], 0.0), ([9, 0], 0.0), ([4, 4], 1.0), ([3, 1], 0.811)],
)
def test_diversity_is_the_entropy_of_use_as_a_share(uses: list[int], diversity: float) -> None:
    assert entropy(uses) == pytest.approx(diversity, abs=0.001)


def test_a_collapse_needs_ten_uses() -> None:
    assert has_collapsed([10, 0, 0], 0.1)
    assert not has_collapsed([9, 0, 0], 0.1)
    assert not has_collapsed([10, 5, 5], 0.1)
    assert not has_collapsed([50], 0.1)


def test_the_budget_rises_on_collapse_to_its_ceiling_and_falls_back_to_its_floor() -> None:
    budget = 0.15
    for _ in range(9):
        budget = next_budget(budget, 0.15, collapsed=True)
    assert budget == CEILING == 0.5
    for _ in range(50):
        budget = next_budget(budget, 0.0, collapsed=False)
    assert budget == FLOOR == 0.05
    assert next_budget(0.2, 0.3, collapsed=False) == 0.3


@pytest.mark.parametrize("budget", [0.05, 0.15, 0.5])
def test_the_budget_is_the_share_of_decisions_that_explore(budget: float) -> None:
    assert sum(explores(n, budget) for n in range(1000)) == pytest.approx(1000 * budget, abs=1)
    assert not explores(0, budget)


def test_the_board_counts_uses_and_explores_as_often_as_its_budget_says() -> None:
    board = LearningHub()
    board.budget = 0.25
    board.learn(outcome(300), [], keep=20)
    used = [board.use("hash") for _ in range(8)]
    assert [pattern.name for pattern in used if pattern] == [
        "most", "most", "most", "last", "most", "most", "most", "usual",
    ]  # fmt: skip
    assert board.uses() == [6, 1, 1]
    assert board.use("unknown") is None
    board.enabled = False
    assert board.estimate("hash") is None


def test_of_so_many_configurations_those_that_ran_last_are_known() -> None:
    board = LearningHub()
    for number in range(CONFIGURATIONS_KEPT + 5):
        board.learn(replace(outcome(1.0), config_hash=f"h{number}"), [], keep=20)
        board.learn(replace(outcome(1.0), config_hash="h0"), [], keep=20)
    assert len(board.uses()) == CONFIGURATIONS_KEPT * len(ESTIMATORS)
    last = f"h{CONFIGURATIONS_KEPT + 4}"
    found = [board.lessons(name) is not None for name in ("h0", "h1", last)]
    assert found == [True, False, True]
    again = LearningHub()
    again.fill([replace(outcome(1.0), config_hash=name) for name in ("new", "old")], [])
    for number in range(CONFIGURATIONS_KEPT - 1):
        again.learn(replace(outcome(1.0), config_hash=f"h{number}"), [], keep=20)
    assert [again.lessons(name) is not None for name in ("new", "old")] == [True, False]
