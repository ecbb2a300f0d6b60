"""Which sheets of a job nobody has asked for, by its options. Pure.

They are numbers; who gives the job another plan, or asks for one of them, writes the options anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from marianne.score.choice import ranges

CATEGORY, NOT_ASKED_FOR = "skip_condition", "not asked for"
"""Why their rows are skipped: those that need them may count on them."""


def left_out(options: Mapping[str, Any], count: int) -> set[int]:
    """The sheets that nobody has asked for, by the options of a job of so many."""
    out = set(before_first(options, count))
    for low, high in options.get("left_out") or ():
        out.update(range(low, min(high, count) + 1))
    return out


def leaving_out(nums: Iterable[int]) -> dict[str, Any]:
    """The options of a job that leaves out these sheets, and no others."""
    return {"start_sheet": None, "left_out": ranges(sorted(nums))}


def before_first(options: Mapping[str, Any], count: int) -> range:
    """Those of them that come before the sheet to start with."""
    return range(1, min(options.get("start_sheet") or 1, count))
