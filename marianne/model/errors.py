"""What is wrong with a score, told so that its author can mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from marianne.records import dataclass

# More of the same kind help nobody, and a broken score of 10,000 sheets can have as many.
MAX_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where.

    ``line`` and ``column`` are 1-based; 0 means that no place in the file can be named. ``path``
    is the field as a dotted path (``sheets[2].timeout``), empty for the document as a whole.
    """

    message: str
    path: str = ""
    line: int = 0
    column: int = 0
    hint: str | None = None
    file: str = "<score>"

    def render(self) -> str:
        """``file:line:col: path: what; hint``, on one line."""
        place = f"{self.file}:{max(self.line, 1)}:{max(self.column, 1)}: "
        field = f"{self.path}: " if self.path else ""
        hint = f"; {self.hint}" if self.hint else ""
        return " ".join(f"{place}{field}{self.message}{hint}".splitlines())

    def to_map(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "file": self.file,
            "line": max(self.line, 1),
            "column": max(self.column, 1),
            "path": self.path,
            "message": self.message,
            "hint": self.hint,
        }


class ScoreError(ValueError):
    """The score cannot be run as it stands. Its author's fault; nothing was changed.

    ``problems`` holds what was found, in the order of the file, never empty; of very many it
    holds the first, and ``more`` counts the others.
    """

    def __init__(self, problems: Iterable[Problem], more: int = 0) -> None:
        found = sorted(problems, key=lambda p: (p.line, p.column))
        self.problems = found[:MAX_PROBLEMS]
        self.more = more + len(found) - len(self.problems)
        super().__init__(self.render())

    def render(self) -> str:
        """One line a problem."""
        lines = [problem.render() for problem in self.problems]
        if self.more:
            lines.append(f"{self.problems[0].file}: and {self.more:,} more")
        return "\n".join(lines)


def did_you_mean(name: object, known: Iterable[str]) -> str | None:
    """A hint naming the known words nearest to ``name``, or None when none is near."""
    near = nearest(name, known)
    return f"did you mean '{near}'?" if near is not None else None


def nearest(name: object, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The known word nearest to ``name``, or None when none is as like to it (1 is the same)."""
    words = list(dict.fromkeys(known))
    near = difflib.get_close_matches(str(name)[:100], words, n=1, cutoff=likeness)
    return near[0] if near else None
