"""What sbatch says of a batch job that it refuses, and which field of a sheet that is about. Pure.

Words of Slurm's own (slurm_errno): what is not among them is no fault of a sheet's that we know
of, and is tried again.
"""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, ...]] = {
    "invalid partition": ("partition",),
    "group not permitted to use this partition": ("partition",),
    "requested partition configuration": ("partition", "time"),
    "invalid account": ("account", "partition"),
    "invalid qos": ("qos",),
    "requested time limit is invalid": ("time",),
    "time limit specification required": ("time",),
    "invalid generic resource": ("gres", "gpus"),
    "requested gres option unsupported": ("gres", "gpus"),
    "invalid feature": ("constraint", "labels"),
    "reservation": ("reservation",),
    "more processors requested than permitted": ("cpus",),
    "cpu count per node can not be satisfied": ("cpus",),
    "memory required by task is not available": ("memory_mb",),
    "memory specification can not be satisfied": ("memory_mb",),
    "requested node configuration is not available": (
        *("gres", "gpus", "constraint", "labels", "memory_mb", "cpus", "partition"),
    ),
}
"""By what stands in the message, in lower case: the fields that it may be about."""

RESOURCES = frozenset({"cpus", "gpus", "labels", "memory_mb"})


def field_of(said: str, given: Mapping[str, object]) -> str | None:
    """Which of the sheet's fields Slurm refuses, with its value; ``given`` are those that it says
    anything in, by name. None: none of its own."""
    text = said.lower()
    for words, names in WORDS.items():
        if words in text:
            found = [name for name in names if given.get(name)]
            return " and ".join(f"{_full(name)} ({given[name]})" for name in found) or None
    return None


def _full(name: str) -> str:
    return f"{'resources' if name in RESOURCES else 'slurm'}.{name}"
