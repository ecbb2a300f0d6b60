"""What a score's reader is asked, and what it finds."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from marianne.records import dataclass

if TYPE_CHECKING:
    from marianne.replies.changes import DryPlan
    from marianne.score.settings import ScoreSettings

EXIT_NO_SPACE = 74
"""The reader could not write what it found (EX_IOERR)."""


@dataclass(frozen=True, slots=True)
class ParseRequest:
    """What to read: ``text`` if given, else the file at ``path``; paths are absolute.

    Sheets before ``first`` and those that ``only``, ``start`` and ``until`` do not ask for
    (:mod:`marianne.score.choice`) are left out. ``preview`` asks for the sheets as they will be
    executed, and has bash read the scripts; ``settings`` are the conductor's (None: there is
    none). ``executor`` was asked for, over the score's.
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
    only: tuple[str, ...] = ()
    start: str | None = None
    until: str | None = None
    executor: str | None = None
    settings: ScoreSettings | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """A readable score: the packed plan and what the manager needs to know of it.

    ``left_out`` are ranges of sheets that were not asked for. ``archives`` says that a fresh run
    moves what is in the workspace away, ``single`` that the score wants one job at a time,
    ``named`` that the workspace is called after the job (marianne.score.worktree).
    ``after`` are its on_success, on_failure, on_exit, concert and notifications sections, if it has
    them. ``repeatable`` says that nothing but the score itself was read, and the instrument files;
    ``programs`` are those that it calls, and whether each was there; ``executors`` those that its
    sheets run on.
    """

    name: str
    workspace: str
    sheet_count: int
    config_hash: str
    score: str
    plan: bytes
    warnings: list[str] = field(default_factory=list)
    preview: DryPlan | None = None
    left_out: list[tuple[int, int]] = field(default_factory=list)
    archives: bool = False
    single: bool = False
    named: bool = False
    after: dict[str, Any] = field(default_factory=dict)
    repeatable: bool = False
    programs: list[tuple[str, bool]] = field(default_factory=list)
    executors: list[str] = field(default_factory=list)
