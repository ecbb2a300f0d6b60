"""The section ``params``: what a run of the score may be given, and of which type."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, PlainValidator, model_validator

from marianne.model.errors import did_you_mean
from marianne.model.fields import Section, can_be_kept

TYPES = ("str", "int", "float", "bool", "path")

Choices = list[str | int | float]


def _type(value: Any) -> str | Choices:
    if isinstance(value, list):
        if not value:
            raise ValueError("a list of choices must not be empty")
        if any(isinstance(one, bool) or not can_be_kept(one) for one in value):
            raise ValueError("a choice is text or a number (put true, false, yes and no in quotes)")
        return value
    if value in TYPES:
        return str(value)
    hint = did_you_mean(value, TYPES)
    raise ValueError(
        f"a type is one of {', '.join(TYPES)}, or a list of choices" + (f": {hint}" if hint else "")
    )


def _default(value: Any) -> str | int | float | bool | None:
    if value is None or can_be_kept(value):
        return value  # type: ignore[no-any-return]
    raise ValueError("a default is text, a number of at most 15 digits, or true or false")


Default = Annotated[
    str | int | float | bool | None,
    PlainValidator(_default, json_schema_input_type=str | int | float | bool | None),
]
ParamType = Annotated[str | Choices, PlainValidator(_type, json_schema_input_type=str | Choices)]


class Param(Section):
    """One parameter. A type alone (``n: int``, ``mode: [fast, slow]``) is short for its map."""

    type: ParamType
    default: Default = None
    required: bool | None = None
    description: str | None = None

    @model_validator(mode="after")
    def _fitting_default(self) -> Param:
        if self.default is None:
            return self
        if self.required:
            raise ValueError("it has a default: it cannot be required as well")
        if not fits(self.type, self.default):
            raise ValueError(f"the default {self.default!r} is not {wanted(self.type)}")
        return self

    @property
    def must_be_given(self) -> bool:
        """Whether a run without a value for it is refused."""
        return self.default is None and self.required is not False


def _written_out(value: Any) -> Any:
    return {"type": value} if isinstance(value, (str, list)) else value


AnyParam = Annotated[Param, BeforeValidator(_written_out)]


def fits(kind: str | Choices, value: object) -> bool:
    """Whether a value as YAML reads it is one of that type."""
    if isinstance(kind, list):
        return any(value == one and type(value) is type(one) for one in kind)
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "float":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, str)


def wanted(kind: str | Choices) -> str:
    """A type in words."""
    if isinstance(kind, list):
        return f"one of {', '.join(map(str, kind))}"
    return {
        "str": "text (put it in quotes)",
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "path": "a path (put it in quotes)",
    }[kind]
