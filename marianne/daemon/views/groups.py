"""The groups of jobs, as they are on disk."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ipc import codec
from marianne.state.models import JobStatus
from marianne.state.reader import Reader

if TYPE_CHECKING:
    from marianne.replies.groups import Group

KEPT = "group/"
"""Before a group's name: under this its limit is kept."""

OPTION = "group"
"""Under this a job's options name its group."""

RUN = frozenset({JobStatus.RUNNING, JobStatus.PAUSING, JobStatus.CANCELLING})


def limits(reader: Reader) -> dict[str, int]:
    """How many jobs of each group may run at once, by name."""
    return {name.removeprefix(KEPT): int(codec.unpack(value)) for name, value in reader.metas(KEPT)}


def shown(reader: Reader) -> list[Group]:
    """All groups by name, and how many jobs of each run and wait."""
    running: Counter[Any] = Counter()
    waiting: Counter[Any] = Counter()
    for row in reader.live_jobs():
        (running if row.status in RUN else waiting)[row.options.get(OPTION)] += 1
    return [
        {"name": name, "parallel": limit, "running": running[name], "waiting": waiting[name]}
        for name, limit in limits(reader).items()
    ]
