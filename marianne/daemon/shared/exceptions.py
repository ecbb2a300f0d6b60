"""What the daemon's own objects raise on purpose. Actors refuse: see ``refusal`` beside this."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from marianne.records import dataclass


class DaemonError(Exception):
    """The root of the package's errors."""


class JobSubmissionError(DaemonError):
    """A job cannot be taken, or is in no state for what was asked. Its submitter's to mend."""


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One setting that does not fit.

    ``source`` is where it was set: a file's path, ``environment variable NAME`` or ``flag``.
    ``line`` and ``column`` are 1-based, 0 where there are none. ``field`` is its dotted name,
    empty for the source as a whole; ``message`` says what was expected, ``hint`` what to do next.
    """

    source: str
    message: str
    field: str = ""
    line: int = 0
    column: int = 0
    hint: str | None = None

    def render(self) -> str:
        """``source:line:column: field: what; hint``, on one line."""
        place = f"{self.source}:{self.line}:{self.column}" if self.line else self.source
        field = f"{self.field}: " if self.field else ""
        hint = f"; {self.hint}" if self.hint else ""
        return " ".join(f"{place}: {field}{self.message}{hint}".split())

    def to_map(self) -> dict[str, Any]:
        """As clients and ``--json`` see it; null where there is none."""
        return {
            "file": self.source,
            "line": self.line or None,
            "column": self.column or None,
            "path": self.field,
            "message": self.message,
            "hint": self.hint,
        }


class ConfigError(DaemonError):
    """The configuration cannot be used. Its author's fault; nothing was changed.

    ``problems`` holds all that was found, never empty.
    """

    def __init__(self, problems: Iterable[ConfigProblem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(problem.render() for problem in self.problems))
