"""What can be written: each change is plain data, a batch of them is one transaction.

A job is named by its id. Changes of one batch take effect in their order; an event in a batch is
about the changes before it. A wrong change (a Refused error) undoes its whole batch and no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from marianne.model.result import AttemptResult
from marianne.records import dataclass
from marianne.state.models import JobRow, OutcomeRow, PatternRow, ScheduleRow, SheetRow


@dataclass(frozen=True, slots=True)
class InsertJob:
    """A new job. ``plan`` and ``environment`` are packed maps; ``score`` is the text as it came.

    Costs the same for any number of sheets: a sheet without a row is pending. Refused with
    JobExists when the id is or ever was in use.
    """

    row: JobRow
    plan: bytes
    score: str
    # Holds secrets: never in a repr, so never in a log.
    environment: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class UpdateJob:
    """New values for fields of a JobRow, by name; fields that are not named stay.

    ``asked`` says that a person asked for it: only then may a job leave a final state.
    """

    job_id: str
    fields: Mapping[str, Any]
    asked: bool = False


@dataclass(frozen=True, slots=True)
class ReplacePlan:
    """A job goes on by another plan (modify, or resume with a changed score)."""

    job_id: str
    plan: bytes
    score: str
    sheet_count: int


@dataclass(frozen=True, slots=True)
class GrowPlan:
    """A list has added sheets to the job's plan, which is otherwise what it was."""

    job_id: str
    plan: bytes
    sheet_count: int


@dataclass(frozen=True, slots=True)
class SaveSheet:
    """The row of a sheet as it is now; the job's counters follow by themselves.

    ``asked`` says that a person asked for it: only then may a sheet leave a final state.
    """

    job_id: str
    row: SheetRow
    asked: bool = False


@dataclass(frozen=True, slots=True)
class HoldWork:
    """What runs of a job stands still from ``ts`` on, or goes on: in between it is not at work."""

    job_id: str
    on: bool
    ts: float


@dataclass(frozen=True, slots=True)
class DropSheets:
    """Removes the rows of sheets from ``first`` on, which a new plan does not have."""

    job_id: str
    first: int


@dataclass(frozen=True, slots=True)
class AddAttempt:
    """The result of an attempt. Appended, never changed; the second for one is refused.

    ``instrument``, for who counts attempts, is not kept on disk."""

    job_id: str
    result: AttemptResult
    instrument: str = "unknown"


@dataclass(frozen=True, slots=True)
class AddEvent:
    """Something to tell. ``job_id`` None is an event of the daemon; ``ts`` is epoch seconds."""

    job_id: str | None
    sheet_num: int | None
    event: str
    data: Mapping[str, Any]
    ts: float


@dataclass(frozen=True, slots=True)
class RememberReply:
    """The answer to a mutating request, so that the same request never acts twice.

    ``asked`` is a hash of what it asked for, so that another request under its id is found out;
    None for one that no client sent. Refused with DuplicateRequest when the id already has a
    reply: then that reply counts.
    """

    request_id: str
    reply: bytes
    ts: float
    asked: bytes | None = None


@dataclass(frozen=True, slots=True)
class SetMeta:
    """A named value that outlives the conductor (a rate limit, a learned figure); None removes."""

    name: str
    value: bytes | None


@dataclass(frozen=True, slots=True)
class AddOutcome:
    """What a job that ended had used. Of one configuration only the newest few are kept."""

    row: OutcomeRow


@dataclass(frozen=True, slots=True)
class SavePattern:
    """How an estimator has done by now."""

    row: PatternRow


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Removes a finished job, its sheets and attempts. Its id stays taken, its events stay.

    Refused with JobLive unless the job is in a final state.
    """

    job_id: str


@dataclass(frozen=True, slots=True)
class InsertSchedule:
    """A new schedule. Refused with ScheduleExists when one has its name."""

    row: ScheduleRow
    # Holds secrets: never in a repr, so never in a log.
    environment: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class UpdateSchedule:
    """New values for fields of a ScheduleRow, by name; fields that are not named stay.

    Refused with NoSuchSchedule, as the changes below are.
    """

    name: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TakeSlots:
    """Every slot up to ``until`` is decided (None: as before): ``add`` are owed, each with whether
    it replaces the last job; ``drop`` are owed no more."""

    name: str
    until: float | None = None
    add: tuple[tuple[float, bool], ...] = ()
    drop: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class FireSlot:
    """A slot has its job, in the transaction that makes it; None: a run that a person asked for.

    Refused with SlotGone where the slot is not owed, so that it never gets a second one.
    """

    name: str
    slot: float | None
    fired_job: str


@dataclass(frozen=True, slots=True)
class DeleteSchedule:
    """Removes a schedule; the jobs that it made stay."""

    name: str


Change = (
    InsertJob
    | UpdateJob
    | ReplacePlan
    | GrowPlan
    | SaveSheet
    | HoldWork
    | DropSheets
    | AddAttempt
    | AddEvent
    | RememberReply
    | SetMeta
    | AddOutcome
    | SavePattern
    | DeleteJob
    | InsertSchedule
    | UpdateSchedule
    | TakeSlots
    | FireSlot
    | DeleteSchedule
)
