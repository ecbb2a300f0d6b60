"""Names of staged files: what the other side calls a file is not trusted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

OURS = ".marianne-"
"""What begins so at the top of a workspace is ours: never staged, never written by a node."""

LONGEST = 4096
"""Bytes of a path."""


class StagingError(Exception):
    """What cannot be staged however often it is tried; says which and what to do."""


def checked(path: Any) -> str:
    """The name as it is, if it surely lies below the directory that it is joined to. Raises
    StagingError."""
    name = path if isinstance(path, str) else ""
    parts = name.split("/")
    if (
        len(name) > LONGEST
        or "\0" in name
        or any(part in ("", ".", "..") for part in parts)
        or parts[0].startswith(OURS)
    ):
        raise StagingError(f"{path!r:.200} is no name below a workspace")
    return name


def declared(path: str, patterns: Iterable[str]) -> bool:
    """Whether it is what one of these paths and patterns names, or lies below that."""
    parts = path.split("/")
    return any(_fits(parts, _parts(pattern)) for pattern in patterns)


def _parts(pattern: str) -> list[str]:
    return [part for part in pattern.split("/") if part not in ("", ".")]


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return True
    if pattern[0] == "**" and _fits(parts, pattern[1:]):
        return True
    if not parts:
        return False
    if pattern[0] == "**":
        return _fits(parts[1:], pattern)
    return fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])
