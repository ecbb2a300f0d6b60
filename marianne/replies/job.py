"""A job and its sheets, as they stand: ``job.status``, ``job.list``, ``job.wait``."""

from __future__ import annotations

from typing import NotRequired, TypeAlias, TypedDict

Time: TypeAlias = str
"""UTC, RFC 3339 with microseconds and Z, always 27 characters."""


class Progress(TypedDict):
    """Numbers of sheets."""

    completed: int
    failed: int
    skipped: int
    cancelled: int
    running: int
    pending: int
    """ready and waiting ones too"""
    total: int


class Usage(TypedDict):
    """The sum over all attempts, of what instruments told."""

    input_tokens: int
    output_tokens: int
    cost_usd: float


class JobHead(TypedDict):
    """A job without its sheets and its error."""

    job_id: str
    name: str
    """of its score"""
    status: str
    """one of `queued` `pending` `running` `pausing` `paused` `completed` `failed` `cancelling`
    `cancelled`"""
    reason: str | None
    """why it is queued (`after` other jobs, `at` a time), pending, pausing, paused or failed, in a
    word: `person`, `pressure`, `estimate`, …; `after` of one that is cancelled: what it was to
    follow ended otherwise"""
    workspace: str
    config_path: str | None
    """nil: the score came as text"""
    priority: int
    """1 (first) to 10"""
    submitted_at: Time
    started_at: Time | None
    finished_at: Time | None
    worked_seconds: float
    """for so long at least one of its sheets ran, up to `at_work_since`"""
    at_work_since: Time | None
    """since then one runs; nil: none does, or what runs stands still"""
    still_since: Time | None
    """since then what runs stands still, by a pause that said so; nil: it does not"""
    progress: Progress
    usage: Usage
    group: NotRequired[str]
    """of one that is in a group"""


class Job(JobHead):
    """A job without its sheets."""

    error: str | None
    waits_for: NotRequired[list[str]]
    """of one that is queued until other jobs have ended: these"""
    begins_at: NotRequired[Time | None]
    """of the same: when it begins at the earliest"""


class SheetError(TypedDict):
    """What kept a sheet from completing at its last attempt."""

    category: str | None
    """as in `Attempt`; of a skipped one `dependency`, `skip_condition` or `when` (not needed)"""
    code: str | None
    message: str | None


class Check(TypedDict):
    """What one validation found."""

    type: str
    passed: bool | None
    """nil: it did not apply or was not reached"""
    detail: str


class Sheet(TypedDict):
    """A sheet, by its last attempt."""

    num: int
    """1-based"""
    name: str
    status: str
    """one of `pending` `ready` (a pending one whose needs are satisfied) `running` `waiting` (a
    retry delay, a rate limit) `completed` `failed` `skipped` `cancelled`"""
    attempt: int
    """of the current or last one; 0: never started"""
    instrument: str
    model: str | None
    exit_code: int | None
    signal: int | None
    started_at: Time | None
    finished_at: Time | None
    due_at: Time | None
    """of a waiting one: when it is tried again"""
    duration_seconds: float | None
    """of the last attempt, from its start to its end"""
    worked_seconds: float
    """of all attempts that have ended, together, less what the present one has stood still: with
    the time since `started_at` it is what a running one was at work for"""
    validations: list[Check]
    error: SheetError | None
    left_running: list[int]
    """processes that it left, which were ended"""
    node: str | None
    """of a cluster, where the current or last attempt ran; nil: on the conductor's machine, or not
    known yet"""
    walls: list[str]
    """of its sandbox, those that stand, or stood, around the current or last attempt; empty also
    while that is not known yet"""


class Status(Job):
    """A job with its sheets, at most 5,000 in one answer."""

    sheets: list[Sheet]


class SheetMap(Job):
    """A job with one letter for each of its sheets."""

    states: bytes
    """in the order of their numbers: `p` pending, or ready; `r` running; `w` waiting; `c`
    completed; `f` failed; `s` skipped; `x` cancelled"""


class JobPlan(TypedDict):
    """What of a job comes after what: its sheets by the entries of the score that they are of."""

    job_id: str
    total: int
    """sheets"""
    entries: list[PlanEntry]
    """in the order of the score, at most 5,000"""
    more: int
    """entries that are left out"""
    names: list[str]
    """of the sheets that were asked for, in their order"""


class PlanEntry(TypedDict):
    """An entry of a score, with all sheets that were made of it."""

    entry: int
    """1-based"""
    name: str
    """of its sheet; of several what their names begin with"""
    sheets: list[list[int]]
    """the numbers, as ranges: first and last"""
    needs: list[int]
    """entries, sheets of which its sheets need"""


class JobPage(TypedDict):
    """Jobs, the newest first."""

    jobs: list[Job]
    cursor: int | None
    """what goes on with the next page; nil at the end"""
    total: int
    """of all pages"""
