"""What was found while a score is expanded and checked: errors with a place, and warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from marianne.model.document import Document, PathPart
from marianne.model.errors import MAX_PROBLEMS, Problem, ScoreError
from marianne.model.mending import within
from marianne.records import dataclass
from marianne.score.models_reference import ReferenceScore
from marianne.score.models_short import ShortScore, ShortSheet

_NAMELESS = {*ShortScore.model_fields, *ReferenceScore.model_fields} - {
    "variables",
    "params",
    "prompt",
}
"""Sections at the top that define no name for a template."""
_NAMELESS_OF_SHEET = {*ShortSheet.model_fields, "validate"} - {"variables", "each", "matrix"}


def _may_define(place: Sequence[PathPart], entry: tuple[PathPart, ...]) -> bool:
    """Whether what stood at ``place`` may have defined a name for the sheet of that entry."""
    if place[0] != "sheets":
        return place[0] not in _NAMELESS
    return place[:2] == entry and (len(place) == 2 or place[2] not in _NAMELESS_OF_SHEET)


@dataclass(slots=True)
class Report:
    """Errors and warnings, each once, in the order in which they were found."""

    document: Document
    errors: dict[Problem, None] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)
    more: int = 0
    unsure: frozenset[tuple[PathPart, ...]] = frozenset()
    """Places of values that were wrong and are replaced: what follows from them is not told."""

    def error(
        self, path: Sequence[PathPart], message: str, hint: str | None = None, *, key: bool = False
    ) -> None:
        """Notes what is wrong at ``path``."""
        if within(path, self.unsure):
            return
        if len(self.errors) < MAX_PROBLEMS:
            self.errors[self.document.problem(path, message, hint, key=key)] = None
        else:
            self.more += 1

    def error_at(
        self, path: Sequence[PathPart], line: int, column: int, message: str, hint: str | None
    ) -> None:
        """Notes what is wrong at a place inside of the text at ``path``."""
        if not within(path, self.unsure):
            field = self.document.problem(path, "").path
            self.add(Problem(message, field, line, column, hint, self.document.file))

    def add(self, problem: Problem) -> None:
        """Notes a problem that has its place already."""
        if len(self.errors) < MAX_PROBLEMS:
            self.errors[problem] = None
        else:
            self.more += 1

    def says(self, path: Sequence[PathPart]) -> bool:
        """Whether the score has anything there."""
        data = self.document.data
        for part in path:
            try:
                data = data[part]
            except (KeyError, IndexError, TypeError):
                return False
        return True

    def knows_names(self) -> bool:
        """Whether the names of all sheets are those that their author meant."""
        return not any(place[:1] == ("sheets",) and place[2:] == ("name",) for place in self.unsure)

    def knows_all_of(self, path: Sequence[PathPart]) -> bool:
        """Whether nothing of the section at ``path`` was wrong and is replaced."""
        return not any(place[: len(path)] == tuple(path) for place in self.unsure)

    def knows_variables(self, path: Sequence[PathPart]) -> bool:
        """Whether all that could define a name for the template at ``path`` is as it was meant."""
        entry = tuple(path[:2])
        return not any(_may_define(place, entry) for place in self.unsure)

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
