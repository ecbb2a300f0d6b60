"""The short form of a score: a list of named sheets, each a script or a prompt."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    field_validator,
    model_validator,
)

from marianne.model.fields import Section, Timeout, Variables, can_be_kept
from marianne.model.limits import SheetLimits
from marianne.model.plan import When
from marianne.model.sandbox import Sandbox
from marianne.model.slurm import SlurmSheet
from marianne.score.models import (
    CrossSheet,
    Injection,
    InstrumentConfig,
    Resources,
    Retry,
    SkipCommand,
)
from marianne.score.models_reference import Common
from marianne.score.models_rules import Rule
from marianne.score.variables import BUILTIN_NAMES


def _item(value: Any) -> str | int | float:
    """A value of ``each`` or ``matrix``. ``yes`` and ``no`` are true and false to YAML, and nobody
    means that."""
    if isinstance(value, bool):
        raise ValueError("true and false (also yes, no, on, off) must be put in quotes here")
    if not isinstance(value, (str, int, float)) or not can_be_kept(value):
        raise ValueError("a value is text or a number here")
    return value


Item = Annotated[str | int | float, PlainValidator(_item, json_schema_input_type=str | int | float)]
Values = Annotated[list[Item], Field(min_length=1)]
Combination = Annotated[dict[str, Item], Field(min_length=1)]
Paths = list[Annotated[str, Field(min_length=1, pattern=r"^[^\x00]*$")]]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class ItemSource(Section):
    """Where the values of ``each`` come from when the sheet's needs are done: the names that a
    pattern matches, the lines that a command prints, or a list in a JSON file."""

    glob: str | None = Field(default=None, min_length=1)
    command: str | None = Field(default=None, min_length=1)
    json_file: str | None = Field(default=None, alias="json", min_length=1)
    max_items: int = Field(default=10_000, ge=1, le=100_000)
    timeout: Timeout = 300.0

    @property
    def kind(self) -> str:
        """glob, command or json."""
        return "glob" if self.glob else "command" if self.command else "json"

    @property
    def text(self) -> str:
        """The template of the pattern, the script, or the file's name."""
        return self.glob or self.command or self.json_file or ""

    @model_validator(mode="after")
    def _one_source(self) -> ItemSource:
        if sum(map(bool, (self.glob, self.command, self.json_file))) != 1:
            raise ValueError("needs a list of values, or one of glob, command or json")
        return self


Each = Annotated[
    Annotated[Values, Tag("list")] | Annotated[ItemSource, Tag("source")],
    Discriminator(lambda value: "source" if isinstance(value, dict | ItemSource) else "list"),
]


class Matrix(BaseModel):
    """Keys with lists of values: a sheet for each combination. Its keys are names in templates."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Values] = Field(init=False)
    include: list[Combination] = []
    exclude: list[Combination] = []

    @property
    def values_by_key(self) -> dict[str, list[str | int | float]]:
        """The keys, without what is included and excluded."""
        return self.__pydantic_extra__

    @model_validator(mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        entries = [value, *_maps(value, "include"), *_maps(value, "exclude")]
        for key in (key for entry in entries if isinstance(entry, dict) for key in entry):
            if not isinstance(key, str) or not key.isidentifier():
                raise ValueError(f"'{key}' is no name of a variable: use letters, digits and '_'")
            if key in BUILTIN_NAMES:
                raise ValueError(f"'{key}' is a built-in name: call it something else")
        if isinstance(value, dict) and not (value.keys() - {"exclude"}):
            raise ValueError("a matrix has keys with lists of values, or 'include'")
        return value


def _maps(value: Any, key: str) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


class ShortSheet(Section):
    """One entry of ``sheets``. With ``fan_out``, ``each`` or ``matrix`` it becomes many sheets."""

    stand_in = {"run": "true"}
    kept = ("name", "needs")

    # Factories: a default list would be deep-copied for each of 10,000 sheets.
    name: str
    needs: list[str] = Field(default_factory=list)
    run: str | None = None
    prompt: str | None = None
    prompt_file: str | None = None
    instrument: str | None = None
    model: str | None = None
    instrument_config: InstrumentConfig = Field(default_factory=InstrumentConfig)
    fallbacks: list[str] | None = None
    variables: dict[str, Any] = Field(default_factory=dict)
    fan_out: int | None = Field(default=None, ge=1, le=100_000)
    each: Each | None = None
    matrix: Matrix | None = None
    retry: Retry | None = None
    timeout: Timeout | None = None
    idle_timeout: Timeout | None = None
    max_memory_mb: int | None = Field(default=None, ge=1, le=2**40)
    cpus: float | None = Field(default=None, ge=0.01, le=1024)
    resources: Resources | None = None
    limits: SheetLimits | None = None
    sandbox: Sandbox | None = None
    slurm: SlurmSheet | None = None
    executor: str | None = Field(default=None, min_length=1)
    rules: list[Rule] = Field(default_factory=list, alias="validate")
    cross_sheet: CrossSheet | None = None
    inject: list[Injection] = Field(default_factory=list)
    skip_when: str | None = None
    skip_when_command: SkipCommand | None = None
    env: Variables = Field(default_factory=dict)
    cwd: str | None = Field(default=None, min_length=1)
    inputs: Paths = Field(default_factory=list)
    outputs: Paths = Field(default_factory=list)
    when: When = "succeeded"
    after_cancel: bool = False
    description: str | None = None

    @field_validator("name")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            better = re.sub(r"[^A-Za-z0-9_.-]+", "-", value).strip("-_.")[:100]
            instead = f": write '{better}'" if better else ""
            message = "a sheet's name is made of letters, digits, '_', '-' and '.'"
            raise ValueError(message + instead)
        return value

    @model_validator(mode="after")
    def _one_work(self) -> ShortSheet:
        given = [key for key in ("run", "prompt", "prompt_file") if getattr(self, key) is not None]
        if len(given) != 1:
            what = " and ".join(given) if given else "nothing to do"
            raise ValueError(f"needs one of run, prompt or prompt_file; has {what}")
        fans = [key for key in ("fan_out", "each", "matrix") if getattr(self, key) is not None]
        if len(fans) > 1:
            raise ValueError(f"has {' and '.join(fans)}: one of them says how many sheets it is")
        if isinstance(self.each, ItemSource) and self.when != "succeeded":
            raise ValueError(
                "a list is made when its needs have completed: leave 'when' away, or write the"
                " values of 'each' down"
            )
        if self.cpus is not None and self.resources and self.resources.cpus is not None:
            raise ValueError("has cpus, and resources with cpus: one of them says how many")
        if self.max_memory_mb is not None and self.limits and self.limits.max_memory_mb is not None:
            raise ValueError("has max_memory_mb, and limits with it: one of them says how much")
        if self.inputs and "outputs" not in self.model_fields_set:
            raise ValueError(
                "inputs need 'outputs': what is up to date is what it makes; [] if that is nothing"
            )
        if self.after_cancel and self.when == "succeeded":
            raise ValueError("after_cancel needs 'when: always' or 'when: failed'")
        return self


class ShortScore(Common):
    """A whole score in the short form."""

    sheets: list[ShortSheet] = Field(min_length=1)
    variables: dict[str, Any] = {}
    timeout: Timeout | None = None
    inject: list[Injection] = []
