"""Job ids: what they may look like, and the next free one for a score's name. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

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
    """``wanted``, or ``wanted-2``, ``wanted-3``, … : a free one whose forerunner is taken.

    Asks about a number of ids that grows with the logarithm of how many are taken. Where ids in
    between are free (a person chose ``wanted-57``) it need not be the first free one.
    """
    if not taken(wanted):
        return wanted
    last_taken, free = 1, 2
    while taken(numbered(wanted, free)):
        last_taken, free = free, free * 2
    while free - last_taken > 1:
        middle = (last_taken + free) // 2
        if taken(numbered(wanted, middle)):
            last_taken = middle
        else:
            free = middle
    return numbered(wanted, free)


def numbered(wanted: str, number: int) -> str:
    """``wanted-number``, cut in the middle where that would be too long."""
    suffix = f"-{number}"
    return wanted[: LONGEST - len(suffix)] + suffix
