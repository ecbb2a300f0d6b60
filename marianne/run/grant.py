"""The conductor's leave to run one attempt."""

from __future__ import annotations

from typing import Any


class Grant:
    """The conductor's leave to run one attempt, as it came over the link."""

    __slots__ = (
        "ahead",
        "attempt",
        "completion",
        "delay",
        "failed",
        "fallback",
        "num",
        "outputs",
        "played",
        "skipped",
        "states",
    )

    def __init__(self, data: dict[str, Any]) -> None:
        self.num = int(data["num"])
        self.attempt = int(data["attempt"])
        self.fallback = int(data.get("fallback", 0))
        self.completion = bool(data.get("completion", False))
        self.outputs = {int(n): int(a) for n, a in (data.get("outputs") or {}).items()}
        self.skipped = [int(n) for n in data.get("skipped") or ()]
        self.played = {int(n): int(i) for n, i in (data.get("played") or {}).items()}
        self.failed = [str(text) for text in data.get("failed") or ()]
        self.states = {int(n): list(state) for n, state in (data.get("states") or {}).items()}
        self.delay = float(data.get("delay") or 0.0)
        self.ahead = bool(data.get("ahead", False))
