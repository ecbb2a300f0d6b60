"""Environments: without the marks of a sheet, and as they travel to the conductor and to a sheet.

Names and values that are not UTF-8 travel as bytes; in a process they are text with surrogates, as
Python has them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

SHEET_VARIABLES = frozenset(
    {
        "MARIANNE_JOB_ID",
        "MARIANNE_SHEET",
        "MARIANNE_ATTEMPT",
        "MARIANNE_WORKSPACE",
        "MARIANNE_OWNER",
    }
)
"""What a sheet's own environment carries; it must reach no conductor and no other job."""

_OF_OURS = frozenset({"MARIANNE_ORIGINAL_LIMITS"})
"""What our own processes tell each other; a new conductor looks for itself."""


def of_sheets(job_id: str, workspace: str, owner: str) -> dict[str, str]:
    """What all sheets of a job find in their environment beside the submitter's."""
    return {
        "MARIANNE_JOB_ID": job_id,
        "MARIANNE_WORKSPACE": workspace,
        "MARIANNE_OWNER": owner,
        "PYTHONUNBUFFERED": "1",
    }


def of_attempt(sheet: int, attempt: int) -> dict[str, str]:
    """What an attempt finds there beside that."""
    return {"MARIANNE_SHEET": str(sheet), "MARIANNE_ATTEMPT": str(attempt)}


def clean_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment (default: our own) without what a sheet's own one carries."""
    given = os.environ if environment is None else environment
    return {name: value for name, value in given.items() if name not in SHEET_VARIABLES | _OF_OURS}


def packable(environment: Mapping[str, str]) -> dict[str | bytes, str | bytes]:
    """The environment as the protocol carries it."""
    return {_out(name): _out(value) for name, value in environment.items()}


def unpacked(environment: Mapping[str | bytes, str | bytes]) -> dict[str, str]:
    """The environment as a process has it."""
    return {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()}


def search_path(environment: Mapping[str | bytes, str | bytes]) -> str:
    """Where programs are looked for in that environment."""
    return os.fsdecode(environment.get("PATH", os.defpath))


def _out(text: str) -> str | bytes:
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text
