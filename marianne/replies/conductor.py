"""The conductor itself: its state, its settings, its events."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from marianne.replies.job import Time


class Hello(TypedDict):
    """Who is there."""

    protocol: Literal[1]
    version: str
    pid: int
    ready: Literal[True]
    """it serves: what comes before waits"""


class StateSize(TypedDict):
    """What the database holds: bytes, with its log, and numbers of rows."""

    bytes: int
    jobs: int
    attempts: int
    events: int
    replies: int


class Disk(StateSize):
    """What the state takes."""

    files_bytes: int | None
    """the jobs' directories, at the last look; nil: none yet"""
    free_bytes: int
    """of the file system"""


class TracesSent(TypedDict):
    """What a collector was told of. Counts are since traces were turned on, over restarts."""

    endpoint: str
    """its host"""
    sent: int
    """spans that it took"""
    dropped: int
    """spans that it will never be told of, about: it was away too long, refused them, or their job
    was cleared first"""
    waiting: int
    """events that were not looked at yet"""
    trouble: str
    """`ok`, or why it cannot be told now, which is tried again"""


class ConductorStatus(TypedDict):
    """The conductor at a glance."""

    pid: int
    uptime_seconds: float
    running_jobs: int
    """admitted ones"""
    total_jobs_active: int
    """that are not over"""
    memory_usage_mb: float
    """of all its processes together, in MB (2**20 bytes)"""
    version: str
    heart_pid: int | None
    """nil: there is none, so nobody would replace this conductor"""
    ready: bool
    """it takes jobs"""
    pressure: str
    """`none` `low` `medium` `high` `critical`"""
    current_delay: float
    """seconds between two grants"""
    disk: Disk
    storage: str
    """`ok`, or why the state cannot be written"""
    home: str
    executor: str
    """where sheets run: `local`, or the name of a cluster"""
    nodes: str | None
    """of the cluster, in words; nil: there is none"""
    shutting_down: bool
    active_sheets: int
    """that hold a slot"""
    failure_rate_elevated: bool
    """more than three jobs failed unexpectedly within the last 60 s"""
    notifications_degraded: bool
    """three notices in a row reached nobody"""
    traces: TracesSent | None
    """nil: no collector is told"""


class Troubles(TypedDict):
    """`ok`, or in words what is not."""

    storage: str
    """why the state cannot be written"""
    starts: str
    """why a job cannot be started, which is tried again"""
    listen: str
    """why other machines are not served where the configuration says, which is tried again"""
    metrics: str
    """why the figures are not served where the configuration says, which is tried again"""
    workers: str
    """which jobs' workers do not answer"""
    refused_worker_messages: int
    """messages to the workers' sockets that were dropped"""


class Health(Troubles):
    """That the conductor is alive."""

    status: Literal["ok"]
    pid: int
    uptime_seconds: float
    shutting_down: bool


class Hindrances(TypedDict):
    """What keeps the conductor from taking jobs, beside load."""

    heart_lost: bool
    """nobody would replace this conductor"""
    storage: str
    """`ok`, or why the state cannot be written"""
    scores: str
    """`ok`, or why no score can be read"""


class Machine(TypedDict):
    """What the machine has left, and this process has open; nil where it cannot be read."""

    machine_available_mb: float | None
    """what new processes would get without swapping"""
    descriptors: int | None
    max_descriptors: int | None
    """-1: no limit"""


class Readiness(Hindrances, Machine):
    """Whether new jobs are taken, and what that is judged by."""

    status: Literal["ready", "not_ready"]
    running_jobs: int
    memory_mb: float
    """of all its processes together, in MB (2**20 bytes)"""
    max_memory_mb: int
    child_processes: int
    monitor_degraded: bool
    seconds_since_last_check: float | None
    """nil: there was none"""
    accepting_work: bool
    shutting_down: bool
    failure_rate_elevated: bool
    notifications_degraded: bool
    uptime_seconds: float


class Stopping(TypedDict):
    """The wish is on disk; the end is the lock's."""

    stopping: Literal[True]
    kept: bool
    """false: the disk fails, and a conductor that dies first has forgotten it: ask the next one"""


class Injected(TypedDict):
    """Nothing: it is done."""


class Reloaded(TypedDict):
    """Dotted names of the settings that differ."""

    applied: list[str]
    restart_needed: list[str]
    warnings: list[str]


class KeysInForce(TypedDict):
    """Who may reach the conductor from other machines, where it listens for them."""

    clients: list[str]
    """the names of their keys"""


class ConfigInForce(TypedDict):
    """The settings in force."""

    config: dict[str, Any]
    """nested, as in conductor.yaml"""
    origin: dict[str, str]
    """by dotted name, where the value comes from"""


class RateLimit(TypedDict):
    """An instrument that refuses work."""

    key: str
    """`instrument`, or `instrument/model`"""
    instrument: str
    model: str | None
    seconds: float
    """until its end"""
    until: Time


class RateLimits(TypedDict):
    """Those in force."""

    limits: list[RateLimit]


class ClearedLimits(TypedDict):
    """What waited for these goes on at once."""

    cleared: int
    instrument: str | None
    keys: list[str]


class Event(TypedDict):
    """Something that happened and is on disk."""

    seq: int
    """the event's number; grows by exactly one, over restarts too"""
    prev: int
    """`seq` of the previous event of the same job; 0: there is none, or it is of no job"""
    ts: Time
    job_id: str | None
    sheet_num: int | None
    event: str
    """the name"""
    data: dict[str, Any]
    """what belongs to it"""


class EventPage(TypedDict):
    """Events, in order."""

    events: list[Event]
    first: int
    """the oldest number that is kept; 0: none"""
    last: int
    """the newest number"""
