"""What would run: the sheets of a score, and what a dry run would do."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from marianne.cli.render.out import clean, paint, say
from marianne.cli.render.table import print_table
from marianne.cli.render.values import duration
from marianne.environment import of_attempt

if TYPE_CHECKING:
    from marianne.replies.changes import DryPlan, PlannedParam, PlannedSheet


_AFTER = {"succeeded": "after", "failed": "if not completed:", "always": "after the end of"}


def print_plan(plan: DryPlan, told: str) -> None:
    """Each sheet as it will be executed; ``told`` is the end of the first line."""
    sheets = plan["sheets"]
    names = {sheet["num"]: sheet["name"] for sheet in sheets}
    count = len(sheets) + plan["more"]
    say(f"{paint(clean(plan['name']), 'bold')}: {count} sheet{'' if count == 1 else 's'}; {told}")
    print_params(plan["params"])
    _say_field("workspace", plan["workspace"])
    own = dict.fromkeys(of_attempt(0, 0), "⟨its number⟩")
    _say_field("environment", _assignments({**plan["environment"], **own}))
    for sheet in sheets:
        _print_sheet(sheet, names, plan["workspace"])
    if plan["more"]:
        say()
        say(f"and {plan['more']:,} more, which marianne validate --render shows")


def _print_sheet(sheet: PlannedSheet, names: Mapping[int, str], workspace: str) -> None:
    after = ", ".join(f"{num} {names.get(num, '')}".strip() for num in sheet["needs"])
    player = sheet["instrument"] + (f"/{sheet['model']}" if sheet["model"] else "")
    say()
    say(
        f"{sheet['num']:>3}  {paint(clean(sheet['name']), 'bold')}  {paint(clean(player), 'cyan')}"
        + (f"  {_AFTER[sheet['when']]} {clean(after)}" if after else "")
        + ("  (also after a cancel)" if sheet["after_cancel"] else "")
    )
    _print_body(sheet, workspace)


_LISTS = {
    "glob": "the names that this pattern matches",
    "command": "the lines that this prints",
    "json": "the list in this file",
}


def _print_body(sheet: PlannedSheet, workspace: str) -> None:
    if not sheet["runs"]:
        _say_field("skipped", "it was not asked for")
        return
    if sheet["unavailable"]:
        _say_field("unavailable", sheet["unavailable"])
    if sheet["fallbacks"]:
        _say_field("fallbacks", ", ".join(sheet["fallbacks"]))
    if sheet["command"]:
        stdin = f" < {sheet['stdin']}" if sheet["stdin"] else ""
        _say_field("command", " ".join(map(_word, sheet["command"])) + stdin)
    if sheet["working_directory"] != workspace:
        _say_field("directory", sheet["working_directory"])
    own = of_attempt(0, 0)
    added = {name: value for name, value in sheet["environment"].items() if name not in own}
    _say_field("environment", _assignments(added))
    if sheet["environment_passed"] is not None:
        passed = ", ".join(["the everyday names", *sheet["environment_passed"]])
        _say_field("passed on", f"only {passed}")
    if sheet["variables"]:
        _say_field("variables", _assignments(sheet["variables"]))
    _say_field("inputs", " ".join(sheet["inputs"]))
    _say_field("outputs", " ".join(sheet["outputs"]))
    _say_field("skip when", sheet["skip_when"] or sheet["skip_when_command"] or "")
    _say_field("time limit", duration(sheet["timeout_seconds"]) or "none")
    _say_field("silence", duration(sheet["idle_timeout_seconds"]))
    _say_field("retries", str(sheet["max_retries"] or ""))
    for check in sheet["validations"]:
        _say_field("check", check["what"])
    if sheet["at_run"]:
        _say_field("at run", "; ".join(sheet["at_run"]))
    if not sheet["rendered"]:
        _say_field("template", "what it renders to is known when the sheet begins")
    for line in sheet["prompt"].rstrip().splitlines():
        say(f"     | {clean(line)}".rstrip())
    made = sheet["list"]
    if made is not None:
        _say_field(
            "list", f"{_LISTS[made['kind']]}, known when it has run; at most {made['max_items']:,}"
        )
        say()
        say(f"     for each item: {paint(clean(made['each']['name']), 'bold')}")
        _print_body(made["each"], workspace)


def print_params(params: Sequence[PlannedParam]) -> None:
    """What the score's params are in this run, one a line."""
    for param in params:
        kind = " or ".join(map(str, param["choices"] or [param["type"]]))
        told = ", ".join(filter(None, [kind, "" if param["given"] else "default"]))
        about = f": {param['description']}" if param["description"] else ""
        value = "none" if param["value"] is None else _word(_as_written(param["value"]))
        _say_field("param", f"{param['name']}={value} ({told}){about}")


def _as_written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _say_field(name: str, value: str) -> None:
    if value:
        say(f"     {name:<12} {clean(' '.join(value.split()))}")


def _assignments(values: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={_word(value)}" for name, value in values.items())


def _word(value: Any) -> str:
    """A value as a word, quoted where a shell would need it; what stands for another as it is."""
    text = str(value)
    return text if text.startswith("⟨") else shlex.quote(text)


def print_expansion(sheets: Sequence[Mapping[str, Any]]) -> None:
    """A row a sheet: what it waits for, who plays it, how long and how often, how many checks."""
    rows = [
        (
            sheet["num"],
            sheet["name"],
            ", ".join(map(str, sheet["needs"])),
            sheet["instrument"] + (f"/{sheet['model']}" if sheet["model"] else ""),
            sheet["max_retries"] or "",
            duration(sheet["timeout_seconds"]),
            len(sheet["validations"]) or "",
        )
        for sheet in sheets
    ]
    headings = ("#", "SHEET", "NEEDS", "INSTRUMENT", "RETRIES", "TIMEOUT", "CHECKS")
    print_table(headings, rows, right=(0, 4, 5, 6), names=(1, 2, 3), spare=(3,), indent="  ")
