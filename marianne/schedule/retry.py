"""How long to wait before the next attempt."""

from __future__ import annotations

import math
from collections.abc import Callable

from marianne.model.plan import RetryPolicy

JITTER_LEAST = 0.5


def retry_delay(policy: RetryPolicy, retry: int, random: Callable[[], float]) -> float:
    """Seconds before the n-th retry (1 is the first).

    ``min(max_delay, base_delay * exponential_base ** (n - 1))``, times a factor of 0.5 to 1 when
    the policy has jitter, so that sheets that failed together do not come back together.
    ``random`` gives a number from 0 up to 1.
    """
    if retry < 1:
        raise ValueError(f"retries are counted from 1, not {retry}")
    try:
        delay = policy.base_delay * math.pow(policy.exponential_base, retry - 1)
    except OverflowError:
        delay = policy.max_delay
    delay = min(policy.max_delay, delay)
    if policy.jitter:
        delay *= JITTER_LEAST + (1 - JITTER_LEAST) * random()
    return max(0.0, delay)
