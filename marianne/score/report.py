"""What was found while a score is expanded and checked: errors with a place, and warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from marianne.score.document import Document, PathPart
from marianne.score.errors import Problem, ScoreError

# More of the same kind help nobody, and a broken score of 10,000 sheets can have as many.
MAX_ERRORS = 100


@dataclass(slots=True)
class Report:
    """Errors and warnings, each once, in the order in which they were found."""

    document: Document
    errors: dict[Problem, None] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)

    def error(
        self, path: Sequence[PathPart], message: str, hint: str | None = None, *, key: bool = False
    ) -> None:
        """Notes what is wrong at ``path``."""
        if len(self.errors) < MAX_ERRORS:
            self.errors[self.document.problem(path, message, hint, key=key)] = None

    def add(self, problem: Problem) -> None:
        """Notes a problem that has its place already."""
        if len(self.errors) < MAX_ERRORS:
            self.errors[problem] = None

    def warn(self, message: str) -> None:
        """Notes what does not stop the score from running."""
        self.warnings[message] = None

    def raise_if_any(self) -> None:
        """ScoreError with all errors, if there are any."""
        if self.errors:
            raise ScoreError(self.errors)
