"""Sheets that take longer than the node lives that runs them. Pure.

A node of an allocation ends at a known time, and what it runs then counts as interrupted and runs
again elsewhere. One that had nearly a whole such life and did not end would do so for ever: it has
failed, by a time limit. So has one that had a node of its own until the end of that. A worker is
told with the order to stop which of them its node comes to (``limit``), and writes it down with the
result: where the node is lost at that moment, its spool is all that is ever seen of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SHARE = 0.8
"""Of the life of a node: who ran for so long began early in it."""

EARLY_SECONDS = 105.0
"""How long before its end, and the grace of its sheets, a node may be told of it: half a minute,
and the minute by which Slurm may be early."""

Result = dict[str, Any]
"""As AttemptResult.to_map says it."""


def limit_of(
    node: str, lifetime: float | None, ends_at: float | None, stopped_at: float, grace: float
) -> dict[str, Any]:
    """What a node that was told at ``stopped_at`` to end says to its workers. ``lifetime`` is that
    of one for many sheets, ``ends_at`` the end of one that is for a single attempt: it was told so
    for its limit where that is near; one that was moved since is later. Times are in seconds, and
    since the epoch."""
    if ends_at is not None and stopped_at >= ends_at - EARLY_SECONDS - grace:
        return {"node": node}
    return {"lifetime": lifetime} if lifetime is not None else {}


def by_limit(result: Result, limit: Mapping[str, Any]) -> Result:
    """The result of an attempt that the end of its node's time has ended, or any other."""
    ran = result["finished_at"] - result["started_at"]
    lifetime = limit.get("lifetime")
    if not limit or result["category"] != "stopped":
        return result
    if lifetime is None:
        why = (
            f"Slurm's time limit of its batch job ({limit['node']}) was near after {ran:,.0f} s:"
            " give it more (slurm.time)"
        )
    elif ran >= SHARE * lifetime:
        why = (
            f"it ran for {ran:,.0f} s, as long as its node lives ({lifetime:,.0f} s): it needs one"
            " that lives longer (pilots.seconds)"
        )
    else:
        return result
    return {**result, "outcome": "failed", "category": "timeout", "message": why}
