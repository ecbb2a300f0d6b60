"""What is kept of jobs, sheets, attempts and events: statuses and rows as plain data."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from marianne.records import dataclass

if TYPE_CHECKING:
    from marianne.replies.job import Check


class JobStatus(StrEnum):
    """Where a job stands. completed, failed and cancelled are final."""

    QUEUED = "queued"
    PENDING = "pending"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether nothing of the job will run again unless a person asks."""
        return self in TERMINAL_JOB


HELD = ("person", "now")
"""Why a job is paused that goes on when a person says so, and not before."""

NOW = "now"
"""The reason of a pause that has what runs stand still where it stands."""


class SheetStatus(StrEnum):
    """Where a sheet stands. waiting is a retry delay or a rate limit; the last four are final."""

    PENDING = "pending"
    READY = "ready"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether the sheet will not run again unless a person asks."""
        return self in TERMINAL_SHEET


NOT_NEEDED = "when"
"""The category of a sheet that was skipped because the end it runs for did not come (``when:
failed``), or because it needs such a sheet. That is no failure."""

TERMINAL_JOB = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})
TERMINAL_SHEET = frozenset(
    {SheetStatus.COMPLETED, SheetStatus.FAILED, SheetStatus.SKIPPED, SheetStatus.CANCELLED}
)


@dataclass(slots=True)
class JobRow:
    """A job as it is on disk. Times are seconds since the epoch; ``priority`` 1 goes first.

    ``worker_*`` is the proof of life of its worker process: pid, start time in clock ticks since
    boot (field 22 of /proc/PID/stat), boot id, and the proof of its name on the link. ``crashes``
    counts the conductor's deaths in a row while the job ran and nothing of it was committed in
    between. ``worked``, ``work_since`` and ``work_until`` are its
    :class:`~marianne.state.work_time.WorkTime`, which follows from its sheets' rows. ``options``
    holds what was asked for at the submission, and the ``account`` of what was used, which the
    job's actor writes while there is one.
    """

    job_id: str
    name: str
    status: JobStatus
    workspace: str
    submitted_at: float
    sheet_count: int
    config_path: str | None = None
    priority: int = 5
    reason: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    error: str | None = None
    config_hash: str = ""
    crashes: int = 0
    worker_pid: int | None = None
    worker_start_time: int | None = None
    worker_boot_id: str | None = None
    worker_link: bytes | None = field(default=None, repr=False)
    worked: float = 0.0
    work_since: float | None = None
    work_until: float = 0.0
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class SheetRow:
    """A sheet as it is on disk. A sheet without a row is pending and was never started.

    ``attempt`` numbers the current or last attempt (0: never started); ``failures`` counts the
    attempts that used up a retry, ``completions`` those that answered a partial pass. ``node`` is
    where that attempt ran; None: on the conductor's machine, or it is not known yet. ``worked``:
    for so many seconds all attempts that have ended ran together, less those in which the present
    one stood still. ``walls`` are those of its sandbox that stand, or stood, around that attempt,
    as far as it is known.
    """

    num: int
    status: SheetStatus = SheetStatus.PENDING
    attempt: int = 0
    failures: int = 0
    completions: int = 0
    fallback: int = 0
    started_at: float | None = None
    finished_at: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    category: str | None = None
    code: str | None = None
    message: str | None = None
    due_at: float | None = None
    node: str | None = None
    worked: float = 0.0
    walls: tuple[str, ...] = ()
    validations: list[Check] = field(default_factory=list)
    left_running: list[int] = field(default_factory=list)

    @property
    def satisfied(self) -> bool:
        """Whether dependents may count on the sheet: completed, or skipped by its condition."""
        return self.status is SheetStatus.COMPLETED or (
            self.status is SheetStatus.SKIPPED and self.category == "skip_condition"
        )

    @property
    def good(self) -> bool:
        """Whether its job may be completed with it: satisfied, or not needed."""
        not_needed = self.status is SheetStatus.SKIPPED and self.category == NOT_NEEDED
        return self.satisfied or not_needed


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """What a job that ended had used, under the hash of its configuration.

    ``peak_memory_mb`` is of all its sheets together (MB, 2**20 bytes); ``category`` says why it
    failed, None if it completed.
    """

    config_hash: str
    job_id: str
    finished_at: float
    peak_memory_mb: float
    cpu_seconds: float
    duration_seconds: float
    category: str | None = None


@dataclass(frozen=True, slots=True)
class PatternRow:
    """How an estimator of a configuration has done: jobs admitted by it, and the sum of the marks
    (0 to 1 each) that its estimates got when the truth was known."""

    config_hash: str
    name: str
    uses: int = 0
    tests: int = 0
    score: float = 0.0


@dataclass(slots=True)
class ScheduleRow:
    """A schedule as it is on disk. Times and slots are seconds since the epoch.

    Every slot up to ``decided_until`` is decided; ``owed`` are those of them for which a job is
    still to be made, each with whether the last job is cancelled for it. ``last_slot`` is the last
    one for which a job was made; ``last_job`` may be of a run that a person asked for.
    ``last_error`` says why no job was made for a slot, and is gone with the next job. Each job is
    submitted with ``request``, by the names of JobRequest.
    """

    name: str
    cron: str
    zone: str
    overlap: str
    catch_up: str
    created_at: float
    decided_until: float
    paused: bool = False
    owed: list[tuple[float, bool]] = field(default_factory=list)
    last_slot: float | None = None
    last_job: str | None = None
    last_error: str | None = None
    last_error_at: float | None = None
    request: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened and was committed. ``prev`` is the job's event before it, or 0."""

    seq: int
    prev: int
    ts: float
    job_id: str | None
    sheet_num: int | None
    event: str
    data: dict[str, Any]
