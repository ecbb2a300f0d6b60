"""What comes of a change: of ``job.submit`` and all that is done to jobs afterwards."""

from __future__ import annotations

from typing import Any, Generic, Literal, NotRequired, TypeAlias, TypedDict, TypeVar

from marianne.replies.job import Check, JobHead

E = TypeVar("E")
Change: TypeAlias = Literal["changed", "added", "removed"]


class PlannedCheck(TypedDict):
    """A validation of a sheet, in words."""

    type: str
    stage: int
    what: str


class SheetOutline(TypedDict):
    """A sheet as a score describes it: who plays it, after what, how long, judged by what."""

    num: int
    name: str
    stage: int
    instance: int
    fan_count: int
    needs: list[int]
    inputs: list[str]
    """of which files it makes its outputs, as templates"""
    outputs: list[str]
    """which files it makes: it is skipped where they are up to date"""
    when: str
    """which end of its needs it runs for: `succeeded` `failed` `always`"""
    after_cancel: bool
    """it also runs when the job is cancelled"""
    instrument: str
    model: str | None
    unavailable: str | None
    fallbacks: list[str]
    timeout_seconds: float | None
    idle_timeout_seconds: float | None
    max_retries: int
    skip_when: str | None
    skip_when_command: str | None
    validations: list[PlannedCheck]


class PlannedSheet(SheetOutline):
    """A sheet as its first attempt will be executed; ⟨…⟩ stands for what only a run can know."""

    runs: bool
    """false: ``start_sheet``, ``from_sheet``, ``until_sheet`` or ``only`` leaves it out"""
    prompt: str
    """the text as it is rendered; its template where ``rendered`` is false"""
    rendered: bool
    at_run: list[str]
    """what of the text only a run can know, in words"""
    variables: dict[str, Any]
    """the names that the template speaks of"""
    command: list[str] | None
    """nil: the instrument has no program"""
    stdin: str | None
    """nil: standard input is empty"""
    working_directory: str
    environment: dict[str, str]
    """what is added for this sheet; the profile's as it is written"""
    environment_passed: list[str] | None
    """the names that are passed on beside the everyday ones; nil: the whole environment"""
    list: PlannedList | None
    """of a sheet that makes a list, whose `prompt` is the pattern, the command or the file"""


class PlannedList(TypedDict):
    """A list that is known when its sheet has run."""

    kind: Literal["glob", "command", "json"]
    max_items: int
    each: PlannedSheet
    """what every item becomes; its `num` is that of the list's sheet"""


class PlannedParam(TypedDict):
    """One of the score's `params`, and what it is in this run."""

    name: str
    type: Literal["str", "int", "float", "bool", "path", "choice"]
    choices: list[str | int | float] | None
    value: str | int | float | bool | None
    """a path is absolute"""
    given: bool
    """by `variables`; else it is the default"""
    default: str | int | float | bool | None
    required: bool
    description: str | None


class DryPlan(TypedDict):
    """What would run."""

    name: str
    workspace: str
    params: list[PlannedParam]
    environment: dict[str, str]
    """what is added for every sheet"""
    sheets: list[PlannedSheet]
    more: int
    """sheets that are left out, since an answer has room for 6 MiB of them"""


class Submitted(TypedDict):
    """A job that was taken in, or would be."""

    job_id: str
    """empty after a dry run"""
    status: Literal["accepted", "pending"]
    """`pending`: it waits for memory"""
    message: str
    warnings: list[str]
    plan: NotRequired[DryPlan]
    """of a dry run"""


class Refusal(TypedDict):
    """Why nothing was done."""

    code: str
    """see the error codes"""
    message: str
    hint: str | None
    """what to do next"""


class Error(Refusal):
    """The `error` of a reply that is not `ok`."""

    data: dict[str, Any]


class NotDone(TypedDict):
    """A job of several for which it was refused."""

    job_id: str
    ok: Literal[False]
    error: Refusal


class Several(TypedDict, Generic[E]):
    """What came of each job that was meant, in their order."""

    jobs: list[E | NotDone]


class Changed(TypedDict):
    """A job's status by the change, which is on disk."""

    job_id: str
    status: str


class Paused(Changed):
    """A job that pauses (`pausing`: its running sheets finish) or is paused."""

    ok: Literal[True]
    error: None


class ScoreChange(TypedDict):
    """How a new score differs from the one before."""

    sheet: int | None
    """nil: the job"""
    name: str | None
    change: Change
    """`changed` `added` `removed`"""
    fields: list[str]
    """what is changed"""
    kept: bool
    """it is completed and does not run again"""


class Modified(Changed):
    """A job that goes on by another score; after a dry run the job as it was."""

    message: str
    changes: list[ScoreChange]
    diff: str
    """the texts' difference as `diff -u` writes it, 400 lines at most, without credentials"""
    warnings: list[str]


class Resumed(Changed):
    """A job that goes on; with what a Modified has where its score was read again."""

    ok: Literal[True]
    error: None
    message: NotRequired[str]
    changes: NotRequired[list[ScoreChange]]
    diff: NotRequired[str]
    warnings: NotRequired[list[str]]


class Cancelled(JobHead):
    """A job that is over, with no process left. Its `status` is `cancelled`, or another final one
    where its end came first: `completed`, when its last sheet had just ended."""

    ok: Literal[True]
    error: None


class Retried(Changed):
    """A job that runs again."""

    also: NotRequired[list[int]]
    """sheets that were not named, but are needed and did not complete"""
    message: NotRequired[str]
    """the same in words"""


class Cleared(TypedDict):
    """Jobs that are deleted."""

    deleted: int
    jobs: list[str]


class Rechecked(TypedDict):
    """What the checks of a failed sheet find now."""

    sheet: int
    name: str
    passed: bool
    message: str | None
    validations: list[Check]


class Recovered(Changed):
    """What was found of each failed sheet; the job is completed if nothing else is left."""

    dry_run: bool
    recovered: list[int]
    """sheets that are completed now (of a dry run: would be)"""
    sheets: list[Rechecked]
    message: str
