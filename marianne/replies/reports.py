"""What is read of a job's past and present for a person: errors, history, diagnosis, reasons."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from marianne.replies.job import Check, Job, Sheet, Time


class Attempt(TypedDict):
    """An attempt that came to an end."""

    sheet: int
    name: str | None
    """nil: the job's present score has no such sheet"""
    attempt: int
    outcome: str
    """`completed` `failed` `skipped` `interrupted` (ended by us: uses up no retry)"""
    started_at: Time
    finished_at: Time
    duration_seconds: float
    """at work: without what it stood still"""
    exit_code: int | None
    signal: int | None
    category: str | None
    """why it did not complete: `exit` `signal` `timeout` `idle` `resource_limit` `output_limit`
    `validation` `list` `not_found` `template` `preflight` `sandbox` `rate_limit` `auth`
    `workspace` `cancelled` `stopped` `lost` `internal`, `disk_full` or `machine` of one that could
    not begin, or whose output could not be kept"""
    code: str | None
    message: str | None
    validations: list[Check]
    peak_memory_mb: float
    """the most that one of its processes had, in MB (2**20 bytes); 0 where it is not known: of one
    that had less than its worker and ended within 0.25 s"""
    cpu_seconds: float
    output_bytes: int
    left_running: list[int]
    """processes that it left, which were ended"""
    node: str | None
    """of a cluster, where it ran; nil: on the conductor's machine"""
    walls: list[str]
    """of its sandbox, those that stood"""
    usage: dict[str, float]
    """`input_tokens`, `output_tokens`, `cost_usd`: those that the instrument told"""


class Skipped(TypedDict):
    """A sheet whose need failed."""

    sheet: int
    name: str
    message: str | None


class Errors(TypedDict):
    """What failed in a job."""

    job_id: str
    status: str
    error: str | None
    errors: list[Attempt]
    """those that failed, the newest first"""
    total: int
    """of attempts that failed"""
    skipped: list[Skipped]


class Outcome(TypedDict):
    """What a job that ended had used."""

    job_id: str
    finished_at: Time
    peak_memory_mb: float
    """of all its sheets together"""
    cpu_seconds: float
    duration_seconds: float
    """at work: in which at least one of its sheets ran"""
    category: str | None
    """why it failed; nil: it completed"""


class History(TypedDict):
    """Every attempt that ended, the newest first."""

    job_id: str
    records: list[Attempt]
    has_history: bool
    learned: list[Outcome]
    """of jobs of the same score, the newest first"""


class Timeline(TypedDict):
    """Attempts that have ended, in the order of sheets and attempts: a list a figure. Times are
    seconds since the epoch."""

    job_id: str
    total: int
    """attempts of the job that have ended, whichever are told"""
    cursor: list[int] | None
    """what goes on with the next ones; nil at the end"""
    sheets: list[int]
    attempts: list[int]
    outcomes: bytes
    """a letter each: `c` completed, `f` failed, `s` skipped, `i` interrupted"""
    began: list[float]
    ended: list[float]
    memory_mb: list[float]
    """the most that each had; 0: not known"""
    cost_usd: list[float]
    """as its instrument told it; 0: not told"""
    running: list[int]
    """sheets that run, at most 1,000; told with the first attempts"""
    running_since: list[float]


class LastOutput(TypedDict):
    """The ends of what a sheet printed, at most 2,000 characters each, without credentials."""

    out: str
    err: str


class TroubledSheet(Sheet):
    """A sheet that failed, waits or runs."""

    attempts: list[Attempt]
    """the last five, the newest first"""
    last_output: LastOutput


class Resources(TypedDict):
    """What a job used: numbers of attempts, sums over them."""

    attempts: int
    failed: int
    interrupted: int
    cpu_seconds: float
    sheet_seconds: float
    peak_memory_mb: float
    """of the largest attempt"""
    output_bytes: int
    cost_usd: float | None
    """nil: no instrument told any"""


class PartEvent(TypedDict):
    """A crash, restart or give-up of a part of the conductor while the job lived."""

    ts: Time
    event: str
    name: str | None
    """the part's"""
    error: str | None
    own: bool
    """it was a part of this job alone"""


class Estimate(TypedDict):
    """What the next job of the same score is expected to need."""

    peak_memory_mb: float
    cpu_seconds: float
    confidence: float
    """0 to 1"""
    by: str
    """the estimator"""


class Pattern(TypedDict):
    """An estimator, and how well it did."""

    name: str
    uses: int
    effectiveness: float
    """0 to 1"""


class Learned(TypedDict):
    """What was learned of jobs of the same score, and how diverse learning is."""

    outcomes: int
    """jobs that it was learned from"""
    estimate: Estimate | None
    patterns: list[Pattern]
    entropy: float
    """0 to 1, of all scores"""
    exploration_budget: float
    """share of decisions that explore, of all scores"""


class Meta(TypedDict):
    """The documented JobMeta; what is not set of the last four is left out."""

    job_id: str
    status: str
    config_path: str | None
    workspace: str
    submitted_at: float
    """seconds since the epoch"""
    started_at: float | None
    """seconds since the epoch"""
    error_message: NotRequired[str]
    error_traceback: NotRequired[str]
    chain_depth: NotRequired[int]
    """jobs that came before this one in its chain"""
    held_chain_hook: NotRequired[dict[str, Any]]
    """the hook that waits for a person, as the score has it"""


class Diagnosis(TypedDict):
    """Why a job is not done, and what that was read from."""

    job_id: str
    status: str
    reason: str | None
    workspace: str
    state: Job
    meta: Meta
    cause: str
    """in words"""
    next: str | None
    """what to do, in words; nil: nothing"""
    sheets: list[TroubledSheet]
    """at most 20 that failed, wait or run"""
    more_sheets: int
    resources: Resources
    supervision: list[PartEvent]
    """the oldest first"""
    learned: Learned


class Reason(TypedDict):
    """Why something does not run now, or that it does."""

    code: str
    text: str
    """for people"""
    data: dict[str, Any]
    """the figures in the text; `until` is a time"""


class ExplainedSheet(Reason):
    """Why a sheet does not run, or that it does."""

    num: int
    name: str
    status: str


class Explained(Reason):
    """Why a job, and sheets of it, do not run now."""

    job_id: str
    status: str
    sheets: list[ExplainedSheet]
    """each that neither runs nor is over, at most 100; or the one that was asked for"""
    more: int
    """sheets that are left out"""


class Output(TypedDict):
    """A piece of what a sheet printed, or was given."""

    job_id: str
    sheet: int
    attempt: int
    path: str
    """of the file that has it"""
    offset: int
    next_offset: int
    """after this piece"""
    size: int
    """of all, in bytes, now"""
    data: bytes
    """at most 1 MiB"""
    ended: bool
    """no more will come"""
