"""What it means for an attempt that its node is gone for good. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from marianne.daemon.cluster.station import Message, Station

ENDED_BY_LIMIT = {
    "TIMEOUT": ("timeout", "its time limit was over: give it more (slurm.time)"),
    "DEADLINE": ("timeout", "its deadline was over"),
    "OUT_OF_MEMORY": (
        "resource_limit",
        "it used more memory than it has: give it more (resources.memory_mb)",
    ),
}
OF_A_PILOT = (
    "it used more memory than it has: give pilots more (pilots.memory_mb), or this sheet a batch"
    " job of its own (slurm, resources.memory_mb)"
)
"""Words of Slurm's for an end that another try would come to as well: the category of the failure,
and what to do."""


def fate(word: str | None, node: str, *, alone: bool = False) -> tuple[str, str]:
    """What is said of an attempt that ran on this node, and the category of its result. ``word`` is
    the engine's for the end of the node's batch job, with its number, and of a pilot's that it was
    one; None: it says nothing. ``alone``: nothing else ran in that pilot."""
    state, number, pilot = [*(word or "").split(), "", "", ""][:3]
    if state in ENDED_BY_LIMIT and not pilot:
        category, why = ENDED_BY_LIMIT[state]
        return f"Slurm ended its batch job {number} ({node}): {why}", category
    if state in ENDED_BY_LIMIT and alone:
        return f"Slurm ended its pilot {number} ({node}): {OF_A_PILOT}", ENDED_BY_LIMIT[state][0]
    why = f"node {node} was lost: it was not reached until its lease was over"
    return f"{why} (Slurm says {state} of its batch job)" if state else why, "lost"


def lost_with(
    station: Station, finished: Sequence[Message], word: str | None, one_job: bool
) -> list[Message]:
    """Results for what a node has lost whose lease is over, and in whose spool the ``finished``
    stand. ``one_job``: no other one had anything there."""
    begun = station.begun - {(result["num"], result["attempt"]) for result in finished}
    alone = one_job and len(begun) == 1
    lost = station.lose(begun, *fate(word, station.node, alone=alone))
    return [*lost, *station.lapse(finished, *fate(word, station.node))]
