"""Validation rules: one model, written out or as the short form's one-key map."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args

from pydantic import AliasChoices, Field, model_validator

from marianne.model.fields import Section, Timeout

RuleType = Literal[
    "file_exists",
    "dir_exists",
    "file_modified",
    "content_contains",
    "content_regex",
    "command_succeeds",
]
RULE_TYPES: tuple[str, ...] = get_args(RuleType)
_NEEDS = {
    "file_exists": ("path",),
    "dir_exists": ("path",),
    "file_modified": ("path",),
    "content_contains": ("path", "pattern"),
    "content_regex": ("path", "pattern"),
    "command_succeeds": ("command",),
}


class Rule(Section):
    """One check that a sheet's work must pass.

    The short form's ``- file_exists: out.txt`` is ``- {type: file_exists, path: out.txt}``;
    ``- command_succeeds: CMD`` sets ``command``; the content checks take a map of ``path`` and
    ``pattern``. Other fields may stand beside the one key.
    """

    types = RULE_TYPES
    stand_in = {"type": "dir_exists", "path": "."}

    type: RuleType
    path: str | None = None
    pattern: str | None = None
    command: str | None = None
    condition: str | None = None
    sheet: int | None = Field(default=None, ge=1, le=1_000_000_000)
    stage: int = Field(default=1, ge=1, le=10)
    description: str | None = None
    retry_count: int | None = Field(default=None, ge=0, le=10)
    retry_delay_ms: int = Field(default=200, ge=0, le=5000)
    timeout_seconds: Timeout = Field(
        default=3600.0, validation_alias=AliasChoices("timeout_seconds", "timeout")
    )
    working_directory: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_short(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "type" in value:
            return value
        named = [key for key in value if key in RULE_TYPES]
        if len(named) != 1:
            return value
        rest = {key: item for key, item in value.items() if key != named[0]}
        target = value[named[0]]
        if isinstance(target, dict):
            return {"type": named[0], **rest, **target}
        field = "command" if named[0] == "command_succeeds" else "path"
        return {"type": named[0], field: target, **rest}

    @model_validator(mode="after")
    def _complete(self) -> Rule:
        for field in _NEEDS[self.type]:
            if not getattr(self, field):
                raise ValueError(f"{self.type} needs '{field}'")
        if self.type == "content_regex":
            try:
                re.compile(self.pattern or "", re.MULTILINE)
            except re.error as error:
                raise ValueError(f"the pattern is no regular expression: {error}") from None
        return self
