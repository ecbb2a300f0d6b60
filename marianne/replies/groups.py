"""Groups of jobs: ``group.*``."""

from __future__ import annotations

from typing import TypedDict


class Group(TypedDict):
    """A group, of which so many jobs run at once."""

    name: str
    parallel: int | None
    """nil: it was removed"""
    running: int
    waiting: int
    """jobs that are queued, pending or paused"""


class GroupList(TypedDict):
    """All groups."""

    groups: list[Group]
    """by name"""
