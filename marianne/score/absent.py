"""What a template gets when it asks a map of ours for what is not there.

To Jinja2 it is undefined: ``is defined`` is false, ``default`` gives the default. Used as it is it
is empty text, for a sheet that has not run yet, or left nothing, is no error.

Imported when a template asks: most scores never load Jinja2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jinja2 import Undefined


class Absent(Undefined):
    """An entry that is not there; see the head of this file."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr("", name)

    def __getitem__(self, key: Any) -> str:  # type: ignore[override]
        return ""[key]

    def __str__(self) -> str:
        return ""

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __bool__(self) -> bool:
        return False

    def __contains__(self, part: Any) -> bool:
        return len(part) == 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (str, Absent)) and len(other) == 0

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash("")

    def __add__(self, other: Any) -> Any:
        return "" + other

    def __radd__(self, other: Any) -> Any:
        return other + ""

    def __mul__(self, times: Any) -> Any:
        return "" * times

    __rmul__ = __mul__

    def __lt__(self, other: Any) -> Any:
        return other > ""

    def __le__(self, other: Any) -> Any:
        return other >= ""

    def __gt__(self, other: Any) -> Any:
        return other < ""

    def __ge__(self, other: Any) -> Any:
        return other <= ""

    def __int__(self) -> int:  # type: ignore[override]
        return int("")

    def __float__(self) -> float:  # type: ignore[override]
        return float("")


def plain(value: object) -> str:
    """What ``tojson`` writes of it; TypeError for anything else that JSON has not."""
    if isinstance(value, Absent):
        return ""
    raise TypeError(f"{type(value).__name__} is not JSON")
