"""Which instruments refuse work now, for those who decide by it without asking.

The tree's actor (:mod:`marianne.daemon.services.rates`) replaces the snapshot; every reader sees
one whole or the other.
"""

from __future__ import annotations

from collections.abc import Mapping

from marianne.clock import steady


class RateLimitCoordinator:
    """Limits by limit key (profile, or profile/model). Safe to read from any thread."""

    def __init__(self) -> None:
        self.until: Mapping[str, float] = {}
        """When each limit ends, by :func:`marianne.clock.steady`; ended ones may still be there."""

    def active_limits(self) -> dict[str, float]:
        """Seconds left by limit key; only limits that are in force."""
        now = steady()
        return {key: until - now for key, until in self.until.items() if until > now}

    def is_rate_limited(self, backend_type: str, model: str | None = None) -> tuple[bool, float]:
        """Whether an instrument (or one model of it) refuses work, and for how many seconds."""
        left = self.active_limits()
        keys = (backend_type, f"{backend_type}/{model}") if model else (backend_type,)
        wait = max((left.get(key, 0.0) for key in keys), default=0.0)
        return wait > 0, wait
