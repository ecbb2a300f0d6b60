"""What it means for an attempt that its node is gone for good. Pure."""

from __future__ import annotations

ENDED_BY_LIMIT = {
    "TIMEOUT": ("timeout", "its time limit was over: give it more (slurm.time)"),
    "DEADLINE": ("timeout", "its deadline was over"),
    "OUT_OF_MEMORY": (
        "resource_limit",
        "it used more memory than it has: give it more (resources.memory_mb)",
    ),
}
"""Words of Slurm's for an end that another try would come to as well: the category of the failure,
and what to do."""


def fate(word: str | None, node: str) -> tuple[str, str]:
    """What is said of an attempt that ran on this node, and the category of its result. ``word`` is
    the engine's for the end of the node's own batch job, with its number; None: it says nothing."""
    state, _, number = (word or "").partition(" ")
    if state in ENDED_BY_LIMIT:
        category, why = ENDED_BY_LIMIT[state]
        return f"Slurm ended its batch job {number} ({node}): {why}", category
    why = f"node {node} was lost: it was not reached until its lease was over"
    return f"{why} (Slurm says {state} of its batch job)" if state else why, "lost"
