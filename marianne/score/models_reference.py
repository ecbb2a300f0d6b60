"""The reference form of a score: ``sheet`` with size and items, ``prompt``, ``movements``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from marianne.model.fields import Count, Many, Num, Section, Variables, Wait
from marianne.model.limits import SheetLimits
from marianne.model.plan import When
from marianne.model.sandbox import Sandbox
from marianne.model.slurm import SlurmSheet
from marianne.score.models import (
    Concert,
    CostLimits,
    CrossSheet,
    Hook,
    Injection,
    InstrumentAlias,
    InstrumentConfig,
    Notification,
    Parallel,
    RateLimit,
    Resources,
    Retry,
    SkipCommand,
    StaleDetection,
    WorkspaceLifecycle,
)
from marianne.score.models_inert import Backend
from marianne.score.models_params import AnyParam
from marianne.score.models_rules import Rule


class Worktree(Section):
    """A workspace that is a git worktree, made for each job anew."""

    worktree: str = Field(min_length=1, description="the repository, from the score's directory")
    ref: str = Field(default="HEAD", min_length=1, pattern=r"^[^-\x00-\x20][^\x00-\x20]*$")
    after: Literal["keep", "merge", "discard"] = "keep"
    into: str | None = Field(default=None, min_length=1, pattern=r"^[^-\x00-\x20][^\x00-\x20]*$")
    place: str | None = Field(default=None, min_length=1)

    @property
    def target(self) -> str:
        """The branch that the work is merged into."""
        return self.into or self.ref


Workspace = Annotated[
    Annotated[str, Tag("text")] | Annotated[Worktree, Tag("worktree")],
    Discriminator(lambda value: "worktree" if isinstance(value, dict | Worktree) else "text"),
]


class Common(Section):
    """What stands at the top of a score in either form."""

    name: str = Field(min_length=1, max_length=200)
    description: str | None = None
    workspace: Workspace = "./workspace"
    single: bool = False
    params: dict[str, AnyParam] = {}
    env: Variables = {}
    cwd: str | None = Field(default=None, min_length=1)
    instrument: str | None = None
    instrument_config: InstrumentConfig = Field(default_factory=InstrumentConfig)
    instrument_fallbacks: list[str] = []
    instruments: dict[str, InstrumentAlias] = {}
    retry: Retry | None = None
    resources: Resources = Field(default_factory=Resources)
    limits: SheetLimits | None = None
    sandbox: Sandbox | None = None
    slurm: SlurmSheet | None = None
    executor: str | None = Field(default=None, min_length=1)
    parallel: Parallel | None = None
    cross_sheet: CrossSheet | None = None
    stale_detection: StaleDetection = Field(default_factory=StaleDetection)
    workspace_lifecycle: WorkspaceLifecycle | None = None
    notifications: list[Notification] = []
    rate_limit: RateLimit | None = None
    pause_between_sheets_seconds: Wait | None = None
    on_success: list[Hook] = []
    on_failure: list[Hook] = []
    on_exit: list[Hook] = []
    concert: Concert | None = None
    cost_limits: CostLimits | None = None
    backend: Backend | None = None
    state_backend: Literal["json", "sqlite"] | None = None
    state_path: str | None = None
    logging: dict[str, Any] | None = None
    isolation: dict[str, Any] | None = None
    techniques: dict[str, Any] | None = None
    circuit_breaker: dict[str, Any] | None = None
    learning: dict[str, Any] | None = None
    grounding: dict[str, Any] | None = None
    ai_review: dict[str, Any] | None = None
    checkpoints: dict[str, Any] | None = None
    bridge: dict[str, Any] | None = None
    feedback: dict[str, Any] | None = None
    conductor: dict[str, Any] | None = None
    agent_card: dict[str, Any] | None = None
    spec: dict[str, Any] | None = None

    @field_validator("name")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if "/" in value or "\\" in value:
            raise ValueError("a name has no path separators")
        if not value.isprintable() or not any(char.isalnum() for char in value):
            raise ValueError("a name is printable and has at least one letter or digit")
        return value

    @field_validator("params", mode="before")
    @classmethod
    def _names_of_variables(cls, value: Any) -> Any:
        for name in value if isinstance(value, dict) else ():
            if not isinstance(name, str) or not name.isidentifier():
                raise ValueError(f"'{name}' is no name of a variable: use letters, digits and '_'")
        return value

    @field_validator("on_failure", "on_exit")
    @classmethod
    def _goes_on_by_itself(cls, hooks: list[Hook]) -> list[Hook]:
        if any(hook.pause_before_chain for hook in hooks):
            raise ValueError("pause_before_chain is for 'on_success'")
        return hooks

    @field_validator("on_success", "on_failure")
    @classmethod
    def _follows_no_cancel(cls, hooks: list[Hook]) -> list[Hook]:
        if any(hook.after_cancel for hook in hooks):
            raise ValueError("after_cancel is for 'on_exit': these do not follow a cancel")
        return hooks

    @field_validator("workspace")
    @classmethod
    def _plain_workspace(cls, value: str | Worktree) -> str | Worktree:
        if isinstance(value, str) and (not value.strip() or "\0" in value):
            raise ValueError("a workspace is the path of a directory")
        return value


class SheetSection(Section):
    """How many sheets there are and how they hang together."""

    size: Count
    total_items: Count
    start_item: Count = 1
    total_sheets: Many | None = Field(
        default=None, description="computed; what is written is ignored"
    )
    dependencies: dict[Num, list[Num]] = {}
    fan_out: dict[Num, Count] = {}
    fan_out_stage_map: dict[Num, dict[str, int]] | None = None
    prelude: list[Injection] = []
    cadenzas: dict[Num, list[Injection]] = {}
    descriptions: dict[Num, str] = {}
    instrument_map: dict[str, list[Num]] = {}
    per_sheet_instruments: dict[Num, str] = {}
    per_sheet_instrument_config: dict[Num, InstrumentConfig] = {}
    per_sheet_fallbacks: dict[Num, list[str]] = {}
    skip_when_command: dict[Num, SkipCommand] = {}
    skip_when: dict[Num, str] = {}
    when: dict[Num, When] = {}
    after_cancel: list[Num] = []
    prompt_extensions: dict[Num, Any] = {}
    spec_tags: dict[Num, Any] = {}

    @model_validator(mode="after")
    def _ends_are_named(self) -> SheetSection:
        for num in self.after_cancel:
            if self.when.get(num, "succeeded") == "succeeded":
                raise ValueError(f"after_cancel: {num} needs 'when: {{{num}: always}}' or 'failed'")
        return self


class PromptSection(Section):
    """The text that each sheet's instrument is given, as a Jinja2 template."""

    template: str | None = None
    template_file: str | None = None
    variables: dict[str, Any] = {}
    stakes: str | None = None
    thinking_method: str | None = None
    prompt_extensions: list[Any] = []

    @model_validator(mode="after")
    def _one_template(self) -> PromptSection:
        if self.template is not None and self.template_file is not None:
            raise ValueError("either 'template' or 'template_file', not both")
        return self


class Movement(Section):
    """What one stage is called and played by."""

    name: str | None = None
    instrument: str | None = None
    instrument_config: InstrumentConfig = Field(default_factory=InstrumentConfig)
    instrument_fallbacks: list[str] | None = None
    voices: int | None = Field(default=None, ge=1, le=100_000)


class ReferenceScore(Common):
    """A whole score in the reference's form."""

    sheet: SheetSection
    prompt: PromptSection
    movements: dict[Num, Movement] = {}
    validations: list[Rule] = []
