"""What the fields of scores and instruments may be, as pydantic types: durations, counts, prices.

Fields named ``*_seconds`` are seconds; where a duration is wanted, ``90``, ``"90s"``, ``"1m30s"``,
``"250ms"``, ``"2h"`` and ``"1d"`` all do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
)

from marianne.environment import SHEET_VARIABLES

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*")


def parse_duration(value: Any) -> Any:
    """``"1m30s"`` as 90.0; numbers pass through; anything else is a ValueError."""
    if isinstance(value, bool):
        raise ValueError("a duration is a number of seconds or text like 90s, 5m or 1h30m")
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = _DURATION.findall(text)
    if not parts or _DURATION.sub("", text):
        raise ValueError(f"'{value}' is no duration: write seconds, or text like 90s, 5m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


Duration = Annotated[
    float,
    BeforeValidator(parse_duration, json_schema_input_type=float | str),
    Field(allow_inf_nan=False),
]
# The longest wait anyone can mean is a year; more is a typing error, and overflows timers.
Timeout = Annotated[Duration, Field(gt=0, le=366 * 86400)]
Wait = Annotated[Duration, Field(ge=0, le=366 * 86400)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000_000)]
Num = Annotated[int, Field(ge=1, le=1_000_000_000)]
# Beyond it sums are not exact, and nobody pays so much.
Price = Annotated[float, Field(allow_inf_nan=False, le=1e12)]
Many = Annotated[int, Field(le=1_000_000_000)]


MOST_OF_ANY = 10**15


def can_be_kept(value: object) -> bool:
    """Whether a value of a score's own is text, true, false, or a number that stays itself wherever
    it is stored."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return isinstance(value, (bool, str))
    # A comparison with nan is false.
    return abs(value) <= (MOST_OF_ANY if isinstance(value, int) else 1e300)


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("a value of 'env' is text or a number; put true, false, yes, no in quotes")
    text = str(value)
    if "\0" in text:
        raise ValueError("a value of 'env' has no NUL")
    return text


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError("a name in 'env' is made of letters, digits and '_', no digit first")
    if name in SHEET_VARIABLES:
        raise ValueError("this name is set by Marianne for each sheet: choose another one")
    return name


Variables = dict[
    Annotated[str, AfterValidator(_variable)],
    Annotated[str, PlainValidator(_text, json_schema_input_type=str | int | float)],
]
"""Variables of the environment of sheets."""


class Section(BaseModel):
    """A map of the score: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    types: ClassVar[Sequence[str]] = ()
    """Of a section that is one of several: what its key ``type`` may say."""

    stand_in: ClassVar[dict[str, Any]] = {}
    """Of a section that stands in lists: what takes the place of one that is wrong as a whole, so
    that the others can be looked at; of the wrong one its keys in ``kept`` stay."""

    kept: ClassVar[Sequence[str]] = ()
