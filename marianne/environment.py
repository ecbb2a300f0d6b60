"""The environment variables that mark a sheet's processes, and an environment without them."""

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


def clean_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment (default: our own) without what a sheet's own one carries."""
    given = os.environ if environment is None else environment
    return {name: value for name, value in given.items() if name not in SHEET_VARIABLES}
