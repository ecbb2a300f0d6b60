"""A score as the conductor takes it: a path that it reads itself, or the text."""

from __future__ import annotations

import os
import sys
from typing import Any

from marianne.cli.errors import CliError


def source(score: str) -> dict[str, Any]:
    """``config_path`` or ``score`` of a request. ``-`` is standard input.

    A pipe (``<(...)``, /dev/stdin) is read here: it is nobody else's. Raises CliError.
    """
    if score == "-":
        return {"config_path": None, "score": standard_input()}
    path = os.path.abspath(score)
    if not os.path.exists(path):
        raise CliError("usage", f"there is no score {score!r}", "write one with: marianne init")
    if os.path.isdir(path):
        raise CliError("usage", f"{score!r} is a directory, not a score")
    if os.path.isfile(path) and not path.startswith(("/dev/", "/proc/")):
        return {"config_path": path, "score": None}
    with open(path, "rb") as pipe:
        return {"config_path": None, "score": _text(pipe.read(), score)}


def standard_input() -> str:
    """The score that is piped in. Raises CliError."""
    return _text(sys.stdin.buffer.read(), "standard input")


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CliError("invalid_score", f"{name} is not UTF-8: {error}") from None
