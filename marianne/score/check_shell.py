"""Reads every shell script of a score with bash, without running it: sheets, checks, skip commands.

What only a run can know is empty here; a script that bash cannot read for want of it is fine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from marianne.model.document import PathPart
from marianne.model.plan import Instrument, Plan, SheetPlan
from marianne.records import dataclass
from marianne.score.placeholders import fill_command, placeholder_names
from marianne.score.prompt import Captured, template_variables
from marianne.score.quoting import EARLIER
from marianne.score.report import Report
from marianne.score.script_lines import template_line
from marianne.score.shell_syntax import Fault, faults
from marianne.score.shell_traps import traps
from marianne.score.template import TemplateError, render

Path = Sequence[PathPart]


def is_shell(instrument: Instrument) -> bool:
    """Whether bash reads what the instrument is given."""
    command = instrument.command
    return command.get("executable") == "bash" and bool(command.get("prompt_via_file"))


@dataclass(slots=True)
class _Script:
    """One text, of the first sheet that has it: ``template`` is what it was rendered from, and
    ``command`` says that it is that of a rule or a condition."""

    sheet: SheetPlan
    template: str
    path: Path
    command: bool = False


class _AnyWord(Captured):
    """Earlier outputs of which there is any that is asked for, of one word."""

    def __missing__(self, key: Any) -> Any:
        return "word"


class ShellCheck:
    """Collects the scripts of a plan, and reports what bash cannot read."""

    def __init__(self, search_path: str | None) -> None:
        self._search_path = search_path
        self._scripts: dict[str, _Script] = {}

    def add(self, plan: Plan, sheet: SheetPlan, text: str | None, path: Path) -> None:
        """Takes the scripts of a sheet: ``text`` is its rendered template, if it can be."""
        if text and is_shell(sheet.instrument):
            self._scripts.setdefault(text, _Script(sheet, sheet.prompt.template, path))
        names: dict[str, Any] | None = None
        for command, place in _commands(sheet, path):
            if names is None:
                names = placeholder_names(plan, sheet) if "{" in command else {}
            script = _Script(sheet, command, place, command=True)
            self._scripts.setdefault(fill_command(command, names), script)

    def finish(self, plan: Plan, report: Report, *, from_file: bool) -> None:
        """Reads them all, and reports."""
        texts = list(self._scripts)
        self._warn(report)
        for index, fault in faults(texts, self._search_path).items():
            script, text = self._scripts[texts[index]], texts[index]
            later = _with_outputs(plan, script)
            if later is None:
                _report(script, text, fault, report, from_file=from_file)
                continue
            for still in faults([later], self._search_path).values():
                _report(script, later, still, report, from_file=from_file)

    def _warn(self, report: Report) -> None:
        """Of what strict scripts are sure to do wrong, once for each template."""
        seen: set[str] = set()
        for text, script in self._scripts.items():
            if script.command or not script.sheet.prompt.script or script.template in seen:
                continue
            seen.add(script.template)
            for trap in traps(text):
                number = template_line(script.template, text, trap.line)
                line, _ = report.document.text_line(script.path, number or 1)
                report.warn(f"{report.document.file}:{line}: {trap.message}")


def _commands(sheet: SheetPlan, path: Path) -> Iterator[tuple[str, Path]]:
    """The sheet's shell commands beside its script, and the section that each stands in."""
    short = path[0] == "sheets"
    for rule in sheet.validations:
        if rule.command:
            yield rule.command, [*path[:2], "validate"] if short else ["validations"]
    if sheet.skip_when_command is not None:
        base = path[:2] if short else ["sheet"]
        where = [*base, "skip_when_command", *([] if short else [sheet.stage])]
        yield sheet.skip_when_command.command, [*where, "command"]


def _with_outputs(plan: Plan, script: _Script) -> str | None:
    """The script as it is once earlier sheets have left something; None: it is the same."""
    if script.command or not any(name in script.template for name in EARLIER):
        return None
    names = template_variables(plan, script.sheet) | {name: _AnyWord() for name in EARLIER}
    try:
        return render(script.template, names, script=script.sheet.prompt.script)
    except TemplateError:
        return ""


def _report(script: _Script, text: str, fault: Fault, report: Report, *, from_file: bool) -> None:
    path = [*script.path]
    if script.command and path[-1] in ("validate", "validations"):
        path = _rule(report.document.data, path, script.template)
    number = template_line(script.template, text, fault.line)
    message = f"bash: {fault.message}"
    line, column = report.document.locate(path)
    if number is not None and not (from_file and not script.command):
        line, column = report.document.text_line(path, number)
    elif fault.line > 1 or from_file:
        message = f"line {fault.line} of the script: {message}"
    if fault.fatal:
        report.error_at(path, line, column, message, fault.hint)
    else:
        report.warn(f"{report.document.file}:{line}: {message}; {fault.hint}")


def _rule(data: Any, path: list[PathPart], command: str) -> list[PathPart]:
    """The place of the rule with that command in a list of rules."""
    try:
        for part in path:
            data = data[part]
        for index, item in enumerate(data):
            for key in ("command", "command_succeeds"):
                if item.get(key) == command:
                    return [*path, index, key]
    except (KeyError, IndexError, TypeError, AttributeError):
        pass
    return path
