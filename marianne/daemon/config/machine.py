"""What the machine lets this process have: processors, memory, graphics processors.

Of processors and memory it is the least of what there is, what this process is bound to, and what
the control groups above it allow (a container's limits). Memory and graphics processors are counted
once.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from marianne.model import placement

LOCAL: Final = placement.LOCAL
"""The executor that is always there: processes of the conductor's machine."""

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")
DEVICES = Path("/dev")

_CARD = re.compile(r"nvidia\d+")


def processors() -> int:
    """How many this process may use at once; of a part of one it may use that one."""
    least = min(map(_quota, _limits("cpu.max")), default=math.inf)
    return max(1, math.ceil(min(len(os.sched_getaffinity(0)), least)))


def supply(
    gpus_given: int | None, max_memory_mb: int, labels: Sequence[str]
) -> tuple[int, int, tuple[str, ...]]:
    """What there is for sheets beside processors, within what a configuration allows."""
    there = gpus() if gpus_given is None else gpus_given
    return there, min(max_memory_mb, memory_mb()), tuple(labels)


@cache
def memory_mb() -> int:
    """How much memory there is at most, MiB."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [int(text) for text in _limits("memory.max") if text.strip().isdigit()]
    return min([there, *limits]) // 2**20


@cache
def gpus() -> int:
    """How many graphics processors there are, by their device files; only NVIDIA's are known."""
    try:
        return sum(_CARD.fullmatch(name) is not None for name in os.listdir(DEVICES))
    except OSError:
        return 0


def _limits(name: str) -> Iterator[str]:
    """What that file says in each group above this process, if groups are of version 2."""
    try:
        lines = OWN_GROUP.read_text().splitlines()
    except OSError:
        return
    own = next((line[3:].lstrip("/") for line in lines if line.startswith("0::")), None)
    if own is None:
        return
    place = GROUPS / own
    for group in (place, *place.parents):
        if not group.is_relative_to(GROUPS):
            return
        try:
            yield (group / name).read_text()
        except OSError:
            continue  # the topmost has none, and what was mounted elsewhere is not seen


def _quota(text: str) -> float:
    """Processors of a ``cpu.max``: microseconds in each period, or ``max``."""
    allowed, _, period = text.strip().partition(" ")
    try:
        return float(allowed) / float(period)
    except (ValueError, ZeroDivisionError):
        return math.inf


SLOTS = min(100, max(2, processors()))
"""Processors that scripts may take at once unless it is set. Counted when this is imported: later a
conductor keeps itself to one of them."""
