"""The judgement of an attempt: what becomes of its sheet.

Rules, first match wins:

1. completed, skipped and interrupted are what they are; an interrupted attempt uses up nothing.
2. A rate limit is waited out; it uses up no retry. When the score bounds the waits and they are
   used up, the next fallback instrument plays, or the sheet fails.
3. What another try cannot mend (a template that cannot be rendered, a prompt that is too long, a
   workspace that cannot be made fresh) fails the sheet.
4. What another try of the same instrument cannot mend (no such program, no login) goes to the
   next fallback instrument, or fails the sheet.
5. A partial pass of the validations (at or over the policy's threshold) is answered by a
   completion attempt, while there are any left.
6. Everything else is a failure: retried while retries are left, then by the next fallback
   instrument with a fresh budget, else the sheet has failed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from marianne.model.plan import RetryPolicy
from marianne.records import dataclass
from marianne.schedule.retry import retry_delay

Kind = Literal[
    "completed",
    "skipped",
    "interrupted",
    "rate_limited",
    "completion",
    "retry",
    "fallback",
    "failed",
]

DEFAULT_RATE_LIMIT_SECONDS = 60.0
MAX_RATE_LIMIT_SECONDS = 3600.0
QUOTA = "E104"
"""The code of a rate limit that is a used-up quota."""

_UNMENDABLE = frozenset({"template", "workspace", "preflight"})
_UNMENDABLE_HERE = {"not_found": "unavailable", "auth": "auth_failure"}
_FALLBACK_REASONS = {
    "validation": "validation_failed",
    "timeout": "execution_timeout",
    "idle": "execution_stale",
    "signal": "execution_crashed",
    "rate_limit": "rate_limit_exhausted",
}


class Ending(Protocol):
    """What is read of an attempt's result (marianne.model.result.AttemptResult)."""

    @property
    def outcome(self) -> str: ...
    @property
    def category(self) -> str | None: ...
    @property
    def code(self) -> str | None: ...
    @property
    def node(self) -> str | None: ...
    @property
    def pass_percent(self) -> float: ...
    @property
    def retry_after(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The score's ``rate_limit``: the wait where the instrument names none, in seconds, and how
    often a sheet waits before it is given up (None: as often as it takes)."""

    default_wait: float = DEFAULT_RATE_LIMIT_SECONDS
    max_waits: int | None = None
    max_quota_waits: int | None = None

    @classmethod
    def read(cls, section: Mapping[str, Any] | None) -> RateLimits:
        """From the section of the plan; a score without one bounds nothing."""
        if not section:
            return cls()
        return cls(60.0 * section["wait_minutes"], section["max_waits"], section["max_quota_waits"])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do next. ``delay`` is in seconds and 0 where nothing waits.

    ``kind``: *completed*, *skipped*, *failed* end the sheet; *interrupted* makes it ready at once;
    *rate_limited*, *completion*, *retry* and *fallback* bring a further attempt after ``delay``.
    A failure that counts is a *retry*; a *fallback* begins a fresh budget. ``reason`` says why, in
    the words of the documented fallback reasons where there is one.
    """

    kind: Kind
    delay: float = 0.0
    reason: str | None = None


USUAL_RATES = RateLimits()


def judge(
    result: Ending,
    policy: RetryPolicy,
    *,
    failures: int,
    completions: int,
    fallbacks_left: int,
    random: Callable[[], float],
    waits: int = 0,
    rates: RateLimits = USUAL_RATES,
) -> Verdict:
    """Judges the result of the current attempt.

    ``failures`` and ``completions`` count the earlier attempts with this instrument that used up
    a retry or a completion attempt; ``fallbacks_left`` the instruments not tried yet. ``random``
    gives a number from 0 up to 1 for the jitter. ``waits`` counts the earlier waits of the same
    kind (rate limit or quota) with this instrument.
    """
    if result.outcome == "completed":
        return Verdict("completed")
    if result.outcome == "skipped":
        return Verdict("skipped")
    if result.outcome == "interrupted":
        return Verdict("interrupted", reason=result.category)
    category = result.category or "exit"
    if category == "rate_limit":
        most = rates.max_quota_waits if is_quota(result) else rates.max_waits
        if most is not None and waits >= most:
            return _elsewhere(fallbacks_left, _FALLBACK_REASONS[category])
        wait = rate_limit_wait(result.retry_after, rates.default_wait)
        return Verdict("rate_limited", wait, category)
    if category in _UNMENDABLE:
        return Verdict("failed", reason=category)
    elsewhere = category == "not_found" and result.node and failures < policy.max_retries
    if category in _UNMENDABLE_HERE and not elsewhere:
        return _elsewhere(fallbacks_left, _UNMENDABLE_HERE[category])
    partial = category == "validation" and 0 < result.pass_percent < 100
    if (
        partial
        and result.pass_percent >= policy.completion_threshold_percent
        and completions < policy.max_completion_attempts
    ):
        return Verdict("completion", policy.completion_delay, "validation_incomplete")
    if failures < policy.max_retries:
        return Verdict("retry", retry_delay(policy, failures + 1, random), category)
    reason = "validation_incomplete" if partial else _FALLBACK_REASONS.get(category)
    return _elsewhere(fallbacks_left, reason or "execution_failed")


def is_quota(result: Ending) -> bool:
    """Whether the attempt found a quota used up, which takes longer than a rate limit."""
    return result.code == QUOTA


def rate_limit_wait(asked: float | None, default: float = DEFAULT_RATE_LIMIT_SECONDS) -> float:
    """Seconds to wait for a rate limit: what the instrument asked for, within 0 to 3,600, or
    ``default``."""
    if asked is None or math.isnan(asked):
        return default
    return min(MAX_RATE_LIMIT_SECONDS, max(0.0, asked))


def _elsewhere(fallbacks_left: int, reason: str) -> Verdict:
    return Verdict("fallback" if fallbacks_left > 0 else "failed", reason=reason)
