"""What a sheet may use, as files of its control group. Pure."""

from __future__ import annotations

TYPE_CHECKING = False  # for the type checker alone
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    Limits = Mapping[str, float]

PERIOD = 100_000
"""Microseconds over which processor time is shared out."""

CONTROLLER = {
    "max_memory_mb": "memory",
    "high_memory_mb": "memory",
    "max_processes": "pids",
    "max_cpus": "cpu",
    "cpu_weight": "cpu",
    "io_weight": "io",
}
"""Who keeps a limit. What has no controller here is no limit of a control group."""

WATCHED = frozenset({"max_memory_mb"})
"""What is also kept without control groups: by a look every two seconds."""


def files_of(limits: Limits, controllers: Collection[str]) -> dict[str, str]:
    """What is to stand in which file, as far as these controllers are there."""
    return {
        name: text
        for limit, value in limits.items()
        if CONTROLLER.get(limit) in controllers
        for name, text in _files(limit, value)
    }


def unkept(limits: Limits, controllers: Collection[str]) -> list[str]:
    """The limits that nobody would keep."""
    return [
        limit
        for limit in limits
        if limit in CONTROLLER and limit not in WATCHED and CONTROLLER[limit] not in controllers
    ]


def _files(limit: str, value: float) -> Iterator[tuple[str, str]]:
    match limit:
        case "max_memory_mb":
            yield "memory.max", str(int(value) << 20)
            yield "memory.swap.max", "0"  # what is swapped out would not count
            yield "memory.oom.group", "1"  # half of a sheet is of no use
        case "high_memory_mb":
            yield "memory.high", str(int(value) << 20)
        case "max_processes":
            yield "pids.max", str(int(value))
        case "max_cpus":
            yield "cpu.max", f"{max(1000, round(value * PERIOD))} {PERIOD}"
        case "cpu_weight":
            yield "cpu.weight", str(int(value))
        case "io_weight":
            yield "io.weight", f"default {int(value)}"
