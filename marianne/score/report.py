"""What was found while a score is expanded and checked: errors with a place, and warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from marianne.model.document import Document, PathPart
from marianne.model.errors import MAX_PROBLEMS, Problem, ScoreError


@dataclass(slots=True)
class Report:
    """Errors and warnings, each once, in the order in which they were found."""

    document: Document
    errors: dict[Problem, None] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)
    more: int = 0

    def error(
        self, path: Sequence[PathPart], message: str, hint: str | None = None, *, key: bool = False
    ) -> None:
        """Notes what is wrong at ``path``."""
        if len(self.errors) < MAX_PROBLEMS:
            self.errors[self.document.problem(path, message, hint, key=key)] = None
        else:
            self.more += 1

    def add(self, problem: Problem) -> None:
        """Notes a problem that has its place already."""
        if len(self.errors) < MAX_PROBLEMS:
            self.errors[problem] = None
        else:
            self.more += 1

    def warn(self, message: str) -> None:
        """Notes what does not stop the score from running."""
        self.warnings[message] = None

    def warn_at(self, path: Sequence[PathPart], message: str, *, key: bool = False) -> None:
        """Notes the same with the place of the value, or of its key: ``score.yaml:12: …``."""
        line, _ = self.document.locate(path, key=key)
        self.warn(f"{self.document.file}:{line}: {message}")

    def raise_if_any(self) -> None:
        """ScoreError with all errors, if there are any."""
        if self.errors:
            raise ScoreError(self.errors, self.more)
