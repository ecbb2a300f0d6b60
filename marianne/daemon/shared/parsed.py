"""What a score's reader is asked, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marianne.replies.changes import DryPlan

EXIT_NO_SPACE = 74
"""The reader could not write what it found (EX_IOERR)."""


@dataclass(frozen=True, slots=True)
class ParseRequest:
    """What to read: ``text`` if given, else the file at ``path``; paths are absolute.

    ``preview`` asks for the sheets as they will be executed, those before ``first`` left out, and
    has bash read the scripts; ``limits`` are tokens from which on a prompt is warned
    of, and refused; ``thinking_method`` is for prompts that name none.
    """

    path: str | None
    text: str | None
    base_dir: str
    workspace: str | None
    variables: dict[str, str]
    instruments: str
    search_path: str
    preview: bool = False
    first: int = 1
    limits: tuple[int, int] = (0, 0)
    thinking_method: str | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """A readable score: the packed plan and what the manager needs to know of it.

    ``archives`` says that a fresh run moves what is in the workspace away. ``after``
    are its on_success, concert and notifications sections, as far as it has them. ``repeatable``
    says that nothing but the score itself was read, and the instrument files; ``programs`` are
    those that it calls, and whether each was there.
    """

    name: str
    workspace: str
    sheet_count: int
    config_hash: str
    score: str
    plan: bytes
    warnings: list[str] = field(default_factory=list)
    preview: DryPlan | None = None
    archives: bool = False
    after: dict[str, Any] = field(default_factory=dict)
    repeatable: bool = False
    programs: list[tuple[str, bool]] = field(default_factory=list)
