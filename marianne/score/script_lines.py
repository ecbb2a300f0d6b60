"""From the lines of a rendered script back to those of the score."""

from __future__ import annotations

import os
import re

from marianne.model.plan import Plan, Prompt, SheetPlan
from marianne.records import dataclass


class Lines:
    """Which line of a template each line of what it rendered to comes from, where that is sure."""

    def __init__(self, template: str, rendered: str) -> None:
        theirs = template.rstrip("\n").split("\n")
        self._ours = rendered.rstrip("\n").split("\n")
        self._count = len(theirs)
        self._same = "{%" not in template and len(theirs) == len(self._ours)
        # A line that stands in the template once is known by its text.
        self._known: dict[str, int | None] = {}
        for number, text in enumerate(() if self._same else theirs, 1):
            self._known[text] = None if text in self._known else number

    def origin(self, line: int) -> int | None:
        """The line of the template, 1-based as ``line`` is; None: not sure."""
        if self._same:
            return min(line, self._count)
        return self._known.get(self._ours[line - 1]) if 1 <= line <= len(self._ours) else None


def template_line(template: str, rendered: str, line: int) -> int | None:
    """The line of the template that one line of what it rendered to comes from; None: not sure."""
    return Lines(template, rendered).origin(line)


@dataclass(frozen=True, slots=True)
class Script:
    """A script as its author knows it: ``prompt``, and the score's file, if it has one."""

    prompt: Prompt
    score_path: str | None

    @classmethod
    def of(cls, plan: Plan, sheet: SheetPlan) -> Script | None:
        """The script of a sheet, None of one that has a prompt."""
        return cls(sheet.prompt, plan.score_path) if sheet.prompt.script else None

    def place(self, rendered: str, line: int) -> str:
        """Where a line of the rendered script is written: in the score, where that is sure."""
        return self._place(Lines(self.prompt.template, rendered), line)

    def named(self, said: str, path: str, rendered: str) -> str:
        """What bash said, with places in the score for those in the file at ``path``."""
        if path not in said:
            return said
        lines = Lines(self.prompt.template, rendered)

        def place(match: re.Match[str]) -> str:
            return f"{self._place(lines, int(match[1]))}: "

        return re.sub(rf"{re.escape(path)}: (?:\w+: )?line (\d{{1,9}}): ", place, said)

    def _place(self, lines: Lines, line: int) -> str:
        found = lines.origin(line) if self.prompt.line else None
        if found is None:
            return f"line {line} of the script"
        number = self.prompt.line + found - 1
        if self.score_path is None:
            return f"line {number} of the score"
        return f"{os.path.basename(self.score_path)}:{number}"
