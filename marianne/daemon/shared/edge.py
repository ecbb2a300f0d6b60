"""What may come in from a client: types that check it once, where it comes in.

Whoever gets a value of these types need not look again: a number fits where it will be kept
(SQLite has 64 bits), a time is finite, a text has no NUL and a length, a path can be asked about.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

INT64: Final = 2**63 - 1
INT32: Final = 2**31 - 1
LONGEST_PATH: Final = 4_096
LONGEST_NAME: Final = 300
MOST_ITEMS: Final = 100_000
LONGEST_SECONDS: Final = 100 * 365 * 86_400.0
LONGEST_VARIABLE: Final = 128 * 1024
"""Bytes of one ``NAME=value`` that execve(2) takes."""


class Params(BaseModel):
    """The base of all parameters: what is unknown is ignored, no number is infinite or none."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


def _no_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("a NUL character cannot stand here")
    return value


def _a_path(value: Any) -> Any:
    text = str(value) if isinstance(value, (str, Path)) else ""
    if "\0" in text:
        raise ValueError("a NUL character cannot stand in a path")
    if len(text.encode("utf-8", "surrogateescape")) > LONGEST_PATH:
        raise ValueError(f"a path has at most {LONGEST_PATH:,} bytes")
    return value


def _an_environment(value: dict[str | bytes, str | bytes]) -> dict[str | bytes, str | bytes]:
    if not _plainly_good(value):
        _look_at_each(value)
    return value


def _plainly_good(value: dict[str | bytes, str | bytes]) -> bool:
    """Whether it is of text and short, and nothing in it is wrong: most are, and it is quick."""
    try:
        names, texts = "".join(value), "".join(value.values())  # type: ignore[arg-type]
    except TypeError:
        return False
    if "\0" in names or "=" in names or "\0" in texts or "" in value:
        return False
    return 4 * (len(names) + len(texts)) < LONGEST_VARIABLE  # all together, so each one too


def _look_at_each(value: dict[str | bytes, str | bytes]) -> None:
    for name, text in value.items():
        nul, equals = ("\0", "=") if isinstance(name, str) else (b"\0", b"=")
        end = "\0" if isinstance(text, str) else b"\0"
        # Longer in bytes than in characters by four times at most.
        if not name or nul in name or equals in name or end in text:  # type: ignore[operator]
            raise ValueError("a name has no = and no NUL, a value no NUL, and no name is empty")
        if 4 * (len(name) + len(text)) >= LONGEST_VARIABLE and _size(name, text) > LONGEST_VARIABLE:
            raise ValueError("no program can be given more than 128 KiB in one variable")


def _size(*parts: str | bytes) -> int:
    return 2 + sum(len(p if isinstance(p, bytes) else p.encode()) for p in parts)


Text = Annotated[str, AfterValidator(_no_nul)]
Name = Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(_no_nul)]
"""A job (or a prefix of its id), an instrument, an actor."""

Names = Annotated[list[Name], Field(max_length=MOST_ITEMS)]
ClientPath = Annotated[Path, BeforeValidator(_a_path)]
Sheet = Annotated[int, Field(ge=0, le=INT32)]
"""The number of a sheet; that there is none such is for who knows the job."""

Sheets = Annotated[list[Sheet], Field(max_length=MOST_ITEMS)]
Attempt = Annotated[int, Field(ge=1, le=INT32)]
Row = Annotated[int, Field(ge=0, le=INT64)]
"""A number that the database gave: of an event, a cursor, an offset in a file."""

Seconds = Annotated[float, Field(ge=0, le=LONGEST_SECONDS, allow_inf_nan=False)]
Variables = Annotated[dict[Name, Text], Field(max_length=10_000)]
Environment = Annotated[
    dict[str | bytes, str | bytes], AfterValidator(_an_environment), Field(repr=False)
]


class Named(Params):
    """Which one, by its whole name."""

    name: Name
