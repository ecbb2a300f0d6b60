"""What the conductor's refusals are to a browser."""

from __future__ import annotations

from typing import Any, Final

from marianne.cli.errors import CliError

HTTP: Final = {
    "not_found": 404,
    "invalid_params": 400,
    "bad_request": 400,
    "conflict": 409,
    "forbidden": 403,
    "no_conductor": 503,
    "unavailable": 503,
    "shutting_down": 503,
    "pressure": 503,
    "deadline": 504,
}
"""The status of an answer that is an error; of any other code 500."""


def error_map(error: CliError) -> dict[str, Any]:
    """An error as pages show it."""
    return {"code": error.code, "message": error.message, "hint": error.hint}
