"""What sbatch says of a batch job that it refuses, why one waits that will not begin by itself, and
which setting that is about. Pure.

Words of Slurm's own (slurm_errno, job_reasons): what is not among them is no fault of a setting's
that we know of, and is tried again, or waited for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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

REASONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "PartitionTimeLimit": ("its time limit is over its partition's", ("time", "partition")),
    "PartitionNodeLimit": ("its partition gives no such node", ("partition",)),
    "PartitionDown": ("its partition is closed", ("partition",)),
    "PartitionInactive": ("its partition is closed", ("partition",)),
    "PartitionConfig": ("its partition does not take it", ("partition",)),
    "AccountNotAllowed": ("its account may not use its partition", ("account", "partition")),
    "InvalidAccount": ("there is no such account", ("account",)),
    "QOSNotAllowed": ("its qos may not be used there", ("qos", "account", "partition")),
    "InvalidQOS": ("there is no such qos", ("qos",)),
    "QOSMaxWallDurationPerJobLimit": ("its time limit is over that of its qos", ("time", "qos")),
    "AssocMaxWallDurationPerJobLimit": (
        "its time limit is over that of its account",
        ("time", "account"),
    ),
    "BadConstraints": ("no node is as it wants", ("constraint", "labels", "gres", "gpus")),
    "JobHeldUser": ("it was held: scontrol release lets it go on", ()),
    "JobHeldAdmin": ("an administrator holds it", ()),
}
"""By Slurm's reason: in words, and the fields that it may be about."""

RESOURCES = frozenset({"cpus", "gpus", "labels", "memory_mb"})


def of_sheet(given: Mapping[str, object]) -> dict[str, str]:
    """What a sheet says itself, by field, as people write it; fields without a value are left out.
    So is of all that follow."""
    return {
        name: f"{'resources' if name in RESOURCES else 'slurm'}.{name} ({value})"
        for name, value in given.items()
        if value
    }


def of_section(section: str, settings: Mapping[str, object]) -> dict[str, str]:
    """What a section of an executor in conductor.yaml says."""
    return {
        "time"
        if name == "seconds"
        else name: f"{section}.{name} ({_plain(value)}) in conductor.yaml"
        for name, value in settings.items()
        if value
    }


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def field_of(said: str, given: Mapping[str, str]) -> str | None:
    """Which of these fields Slurm refuses, with its value. None: none of them."""
    text = said.lower()
    for words, names in WORDS.items():
        if words in text:
            return _named(names, given) or None
    return None


def in_queue(reason: str, given: Mapping[str, str]) -> str:
    """That a batch job waits, in Slurm's word; of one that waits for a change of settings what that
    is about."""
    text = f"waits in Slurm's queue ({reason})"
    if reason not in REASONS:
        return text
    why, names = REASONS[reason]
    named = _named(names, given)
    return f"{text}: {why}" + (f": {named}" if named else "")


def _named(names: Iterable[str], given: Mapping[str, str]) -> str:
    return " and ".join(given[name] for name in names if name in given)
