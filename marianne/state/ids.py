"""Job ids: what they may look like, and the next free one for a score's name. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count

LONGEST = 63

_LEGAL = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{LONGEST - 1}}}")
_OTHER = re.compile(r"[^A-Za-z0-9_-]+")


def is_legal(job_id: str) -> bool:
    """Whether the text can be a job id: a letter or digit, then up to 62 of those, ``_``, ``-``."""
    return _LEGAL.fullmatch(job_id) is not None


def from_name(name: str) -> str:
    """The id that a score's name asks for; what an id cannot hold becomes ``-``."""
    text = _OTHER.sub("-", name).lstrip("-_")[:LONGEST].rstrip("-")
    return text or "job"


def next_free(wanted: str, taken: Callable[[str], bool]) -> str:
    """``wanted``, or the first of ``wanted-2``, ``wanted-3``, … that is not taken."""
    if not taken(wanted):
        return wanted
    for number in count(2):
        suffix = f"-{number}"
        candidate = wanted[: LONGEST - len(suffix)] + suffix
        if not taken(candidate):
            return candidate
    raise AssertionError("unreachable")
