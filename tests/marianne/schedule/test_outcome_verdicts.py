"""What becomes of a sheet after an attempt."""

import math
from dataclasses import replace

import pytest

from marianne.model.plan import RetryPolicy
from marianne.model.result import AttemptResult, ValidationOutcome
from marianne.schedule.outcome import Verdict, judge, rate_limit_wait
from marianne.schedule.retry import retry_delay

POLICY = RetryPolicy(max_retries=2, base_delay=10, jitter=False)


def verdict(
    outcome: str = "failed",
    category: str | None = "exit",
    *,
    policy: RetryPolicy = POLICY,
    failures: int = 0,
    completions: int = 0,
    fallbacks_left: int = 0,
    passed: tuple[bool | None, ...] = (),
    retry_after: float | None = None,
    node: str | None = None,
) -> Verdict:
    checks = tuple(ValidationOutcome("file_exists", p) for p in passed)
    result = AttemptResult(
        1, 1, outcome, 0, 1, category=category, validations=checks, retry_after=retry_after
    )
    result = replace(result, node=node)
    return judge(
        result,
        policy,
        failures=failures,
        completions=completions,
        fallbacks_left=fallbacks_left,
        random=lambda: 0.5,
    )


@pytest.mark.parametrize("outcome", ["completed", "skipped", "interrupted"])
def test_what_is_over_is_what_it_is(outcome: str) -> None:
    assert verdict(outcome, None).kind == outcome


def test_an_interrupted_attempt_uses_up_no_retry() -> None:
    assert verdict("interrupted", "lost", failures=9) == Verdict("interrupted", 0.0, "lost")


def test_n_retries_are_n_plus_one_attempts_with_growing_delays() -> None:
    found = [verdict(failures=n) for n in range(3)]
    assert [(v.kind, v.delay) for v in found] == [("retry", 10), ("retry", 20), ("failed", 0)]


def test_no_retries_means_one_attempt() -> None:
    assert verdict(policy=RetryPolicy(max_retries=0)).kind == "failed"


def test_after_the_retries_comes_the_next_instrument() -> None:
    assert verdict(failures=2, fallbacks_left=1) == Verdict("fallback", 0.0, "execution_failed")
    assert verdict(failures=2, fallbacks_left=0) == Verdict("failed", 0.0, "execution_failed")


@pytest.mark.parametrize(
    ("category", "reason"),
    [
        ("validation", "validation_failed"),
        ("timeout", "execution_timeout"),
        ("idle", "execution_stale"),
        ("signal", "execution_crashed"),
        ("resource_limit", "execution_failed"),
    ],
)
def test_the_reason_is_a_documented_one(category: str, reason: str) -> None:
    assert verdict(category=category, failures=2, fallbacks_left=1).reason == reason


def test_a_rate_limit_waits_and_uses_up_nothing() -> None:
    found = verdict(category="rate_limit", failures=2, retry_after=4)
    assert found == Verdict("rate_limited", 4, "rate_limit")


@pytest.mark.parametrize(
    ("asked", "wait"), [(None, 60), (math.nan, 60), (-1, 0), (4, 4), (math.inf, 3600)]
)
def test_the_wait_of_a_rate_limit_is_bounded(asked: float | None, wait: float) -> None:
    assert rate_limit_wait(asked) == wait


@pytest.mark.parametrize(
    ("category", "reason"), [("auth", "auth_failure"), ("not_found", "unavailable")]
)
def test_what_a_retry_cannot_mend_goes_to_the_next_instrument_at_once(
    category: str, reason: str
) -> None:
    assert verdict(category=category, fallbacks_left=1) == Verdict("fallback", 0, reason)
    assert verdict(category=category) == Verdict("failed", 0, reason)


def test_what_one_node_has_not_another_may_have_as_long_as_retries_are_left() -> None:
    assert verdict(category="not_found", node="n1").kind == "retry"
    assert verdict(category="not_found", node="n1", failures=2).kind == "failed"
    assert verdict(category="auth", node="n1").kind == "failed"


def test_a_template_that_fails_is_not_tried_again() -> None:
    assert verdict(category="template", fallbacks_left=3).kind == "failed"


def test_a_partial_pass_is_answered_by_a_completion_attempt() -> None:
    found = verdict(category="validation", passed=(True, False))
    assert found == Verdict("completion", 5.0, "validation_incomplete")


def test_completion_attempts_are_limited_then_retries_come() -> None:
    found = verdict(category="validation", passed=(True, False), completions=5)
    assert found.kind == "retry"
    spent = verdict(category="validation", passed=(True, False), completions=5, failures=2)
    assert spent == Verdict("failed", 0, "validation_incomplete")


@pytest.mark.parametrize("passed", [(False, False), (True, False, False), ()])
def test_below_the_threshold_it_is_a_plain_failure(passed: tuple[bool, ...]) -> None:
    assert verdict(category="validation", passed=passed).kind == "retry"


def test_checks_that_did_not_apply_do_not_count() -> None:
    assert verdict(category="validation", passed=(True, False, None, None)).kind == "completion"


def test_a_delay_never_exceeds_its_maximum_nor_overflows() -> None:
    policy = RetryPolicy(base_delay=10, max_delay=100, jitter=False)
    assert retry_delay(policy, 5, lambda: 0) == 100
    assert retry_delay(policy, 100_000, lambda: 0) == 100


def test_jitter_takes_at_most_half() -> None:
    policy = RetryPolicy(base_delay=10)
    assert retry_delay(policy, 1, lambda: 0.0) == 5
    assert retry_delay(policy, 1, lambda: 0.999) == pytest.approx(9.995)


def test_retries_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="from 1"):
        retry_delay(POLICY, 0, lambda: 0)
