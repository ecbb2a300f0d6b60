"""Sheets that take longer than their node lives. Pure.

A node of an allocation ends at a known time, and what it runs then counts as interrupted and runs
again elsewhere. One that had nearly a whole such life and did not end would do so for ever: it has
failed, by a time limit.
"""

from __future__ import annotations

from marianne.executors.frames import Message

SHARE = 0.8
"""Of the life of a node: who ran for so long began early in it."""


def judged(result: Message, lifetime: float | None) -> Message:
    """The result of an attempt (AttemptResult.to_map) that its node's end has ended, or any other.
    ``lifetime`` is in seconds; None: it has no known end."""
    ran = result["finished_at"] - result["started_at"]
    if lifetime is None or result["category"] != "stopped" or ran < SHARE * lifetime:
        return result
    message = (
        f"it ran for {ran:,.0f} s, as long as its node lives ({lifetime:,.0f} s): it needs one that"
        " lives longer (pilots.seconds)"
    )
    return {**result, "outcome": "failed", "category": "timeout", "message": message}
