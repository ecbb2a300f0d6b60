"""From the lines of a rendered script back to those of the score."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from marianne.model.plan import Plan, Prompt, SheetPlan


def template_line(template: str, rendered: str, line: int) -> int | None:
    """The line of the template that a line of what it rendered to comes from; None: not sure."""
    theirs, ours = template.rstrip("\n").split("\n"), rendered.rstrip("\n").split("\n")
    if "{%" not in template and len(theirs) == len(ours):
        return line if line <= len(theirs) else len(theirs)
    if not 1 <= line <= len(ours):
        return None
    same = [number for number, text in enumerate(theirs, 1) if text == ours[line - 1]]
    return same[0] if len(same) == 1 else None


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
        number = self._line(rendered, line)
        if number is None:
            return f"line {line} of the script"
        if self.score_path is None:
            return f"line {number} of the score"
        return f"{os.path.basename(self.score_path)}:{number}"

    def named(self, said: str, path: str, rendered: str) -> str:
        """What bash said, with places in the score for those in the file at ``path``."""

        def place(match: re.Match[str]) -> str:
            return f"{self.place(rendered, int(match[1]))}: "

        if path not in said:
            return said
        return re.sub(rf"{re.escape(path)}: (?:\w+: )?line (\d+): ", place, said)

    def _line(self, rendered: str, line: int) -> int | None:
        found = template_line(self.prompt.template, rendered, line) if self.prompt.line else None
        return None if found is None else self.prompt.line + found - 1
