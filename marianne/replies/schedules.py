"""Schedules, as they stand and as they were changed."""

from __future__ import annotations

from typing import TypedDict

from marianne.replies.job import Time


class LastJob(TypedDict):
    """The job that a schedule made last."""

    job_id: str
    status: str | None
    """nil: it was cleared"""


class Schedule(TypedDict):
    """A schedule."""

    name: str
    cron: str
    tz: str
    """a name of the tz database"""
    overlap: str
    """`skip` `queue` `replace`"""
    catch_up: str
    """`none` `one` `all`"""
    config_path: str
    workspace: str | None
    variables: dict[str, str]
    priority: int
    fresh: bool
    created_at: Time
    paused: bool
    next_slot: Time | None
    """nil: it is paused, or none comes"""
    waiting: list[Time]
    """slots that have come and have no job yet"""
    waits_for: str | None
    """why, in words; or why no slot comes"""
    last_slot: Time | None
    """the last one that has a job"""
    last_job: LastJob | None
    """of that slot, or of a later `schedule.run_now`"""
    last_error: str | None
    """why a slot since then has no job"""
    last_error_at: Time | None


class Schedules(TypedDict):
    """All of them, by name."""

    schedules: list[Schedule]


class ScheduleChanged(TypedDict):
    """A schedule by the change, which is on disk."""

    name: str
    paused: bool
    next_slot: Time | None
    """nil: it is paused or removed"""
