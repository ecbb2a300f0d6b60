"""Sheets that take longer than their node lives. Pure.

A node of an allocation ends at a known time, and what it runs then counts as interrupted and runs
again elsewhere. One that had nearly a whole such life and did not end would do so for ever: it has
failed, by a time limit. So has one that had a node of its own until the end of that.
"""

from __future__ import annotations

from marianne.executors.frames import Message

SHARE = 0.8
"""Of the life of a node: who ran for so long began early in it."""

EARLY_SECONDS = 105.0
"""How long before its end, and the grace of its sheets, a node may be told of it: half a minute,
and the minute by which Slurm may be early."""


def judged(result: Message, lifetime: float | None) -> Message:
    """The result of an attempt (AttemptResult.to_map) that its node's end has ended, or any other.
    ``lifetime`` is in seconds; None: it has no known end."""
    ran = result["finished_at"] - result["started_at"]
    if lifetime is None or result["category"] != "stopped" or ran < SHARE * lifetime:
        return result
    return _failed(
        result,
        f"it ran for {ran:,.0f} s, as long as its node lives ({lifetime:,.0f} s): it needs one that"
        " lives longer (pilots.seconds)",
    )


def near_end(ends_at: float | None, stopped_at: float, grace: float) -> bool:
    """Whether a node that was told at ``stopped_at`` to end was told so for its time limit. Both in
    seconds since the epoch; a limit that was moved since is later."""
    return ends_at is not None and stopped_at >= ends_at - EARLY_SECONDS - grace


def at_limit(result: Message, node: str) -> Message:
    """The result of an attempt that the time limit of its own batch job has ended, or any other."""
    if result["category"] != "stopped":
        return result
    ran = result["finished_at"] - result["started_at"]
    return _failed(
        result,
        f"Slurm's time limit of its batch job ({node}) was near after {ran:,.0f} s: give it more"
        " (slurm.time)",
    )


def _failed(result: Message, message: str) -> Message:
    return {**result, "outcome": "failed", "category": "timeout", "message": message}
