"""From a sheet to the text that its instrument is given.

Needs neither the score file nor pydantic: the worker process uses it for every attempt.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from marianne.model.plan import CrossSheet, Plan, SheetPlan, ValidationRule
from marianne.score.template import TemplateError, evaluate, render
from marianne.score.variables import sheet_variables

SKIPPED = "[SKIPPED]"


class Captured(dict[Any, Any]):
    """What earlier sheets left, by number or by path, or what is known of them. What is not there
    is undefined to a template, and else empty text: a sheet may not have run, or left nothing.
    Iteration shows what is there."""

    def __missing__(self, key: Any) -> Any:
        from marianne.score.absent import Absent

        return Absent(obj=self, name=key)


def window(sheet: SheetPlan) -> range:
    """The numbers of the earlier sheets whose output the prompt may show."""
    cross = sheet.cross_sheet
    if cross is None or not cross.auto_capture_stdout:
        return range(0)
    back = cross.lookback_sheets
    return range(max(1, sheet.num - back) if back else 1, sheet.num)


def template_variables(
    plan: Plan,
    sheet: SheetPlan,
    *,
    outputs: Mapping[int, str] | None = None,
    files: Mapping[str, str] | None = None,
    skipped: Collection[int] = (),
    injected: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Every name that a template can use."""
    seen = window(sheet)
    cross = sheet.cross_sheet or CrossSheet()
    texts = {
        num: tail(text, cross.max_output_chars)
        for num, text in sorted((outputs or {}).items())
        if num in seen
    }
    for num in skipped:
        if num in seen:
            texts[num] = SKIPPED
    given: dict[str, Any] = {
        "previous_outputs": Captured(sorted(texts.items())),
        "previous_files": Captured(files or {}),
        "skipped_upstream": sorted(num for num in skipped if num in sheet.needs),
        **{name: (injected or {}).get(kind, "") for kind, name in INJECTED.items()},
    }
    return {**given, **sheet_variables(plan, sheet)}


INJECTED = {"context": "injected_context", "skill": "injected_skills", "tool": "injected_tools"}
"""For a kind of injected files: the name that a template has of their texts."""


def render_prompt(
    plan: Plan,
    sheet: SheetPlan,
    *,
    attempt: int = 1,
    outputs: Mapping[int, str] | None = None,
    files: Mapping[str, str] | None = None,
    skipped: Collection[int] = (),
    injected: Mapping[str, str] | None = None,
    failed: Sequence[str] = (),
    completion: bool = False,
    fallback: int = 0,
    over: Mapping[str, Any] | None = None,
) -> str:
    """The text of one attempt; TemplateError when the template cannot be rendered.

    ``outputs`` and ``files`` are what earlier sheets left (see marianne.score.context), ``skipped``
    the numbers of skipped sheets, ``injected`` the texts of injected files by kind, ``failed`` what
    the checks of the attempt before found wrong. With ``completion`` the text asks to finish that
    and to keep the rest. Scripts and raw instruments get the rendered template and nothing else.
    What is ``over`` the names is what the template sees of them.
    """
    names = template_variables(
        plan, sheet, outputs=outputs, files=files, skipped=skipped, injected=injected
    )
    instrument = sheet.instrument_at(fallback) or sheet.instrument
    prompt = sheet.prompt
    names["instrument_name"] = prompt.variables.get("instrument_name", instrument.profile)
    text = render(prompt.template, {**names, **(over or {})}, script=prompt.script)
    if prompt.script or instrument.raw_prompt:
        return text
    found = injected or {}
    parts = [_preamble(plan, sheet, attempt)]
    parts += [found[kind] for kind in ("skill", "tool", "context") if found.get(kind)]
    parts.append(text)
    if prompt.stakes:
        parts.append(prompt.stakes)
    if prompt.thinking_method:
        parts.append(prompt.thinking_method)
    if failed and not completion:
        parts.append("## What the attempt before did not achieve\n" + _bullets(failed))
    if sheet.validations:
        parts.append(_checklist(plan, sheet))
    if completion:
        parts.append(_completion(failed))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def skip_names(
    plan: Plan, sheet: SheetPlan, sheets: Mapping[int, Mapping[str, Any]]
) -> dict[str, Any]:
    """The names of a skip expression: the sheet's own, ``sheets`` by number, and ``job``."""
    earlier = {
        other.num: Captured({**dict.fromkeys(_OF_SHEETS), **(sheets.get(other.num) or {})})
        for other in plan.sheets[: sheet.num - 1]
    }
    job = {"name": plan.name, "workspace": plan.workspace, "total_sheets": len(plan.sheets)}
    return {"sheets": earlier, "job": job, **sheet_variables(plan, sheet)}


_OF_SHEETS = ("status", "exit_code", "attempt", "validation_passed")
"""What a skip expression sees of an earlier sheet; None while it is not known."""


def should_skip(plan: Plan, sheet: SheetPlan, sheets: Mapping[int, Mapping[str, Any]]) -> bool:
    """Whether ``skip_when`` holds, given the states of the sheets (status, exit_code, attempt,
    validation_passed). An expression that cannot be evaluated does not skip."""
    if sheet.skip_when is None:
        return False
    try:
        return bool(evaluate(sheet.skip_when, skip_names(plan, sheet, sheets)))
    except TemplateError:
        return False


def tail(text: str, limit: int) -> str:
    """The last ``limit`` characters: the end of an output is what says how it went."""
    return text if len(text) <= limit else text[-limit:]


def _preamble(plan: Plan, sheet: SheetPlan, attempt: int) -> str:
    lines = [
        "<marianne-preamble>",
        f"Sheet {sheet.num} of {len(plan.sheets)}: {sheet.name}",
        f"Workspace: {plan.workspace}",
    ]
    if attempt > 1:
        lines.append(
            f"Attempt {attempt}: earlier attempts did not pass; see what is there already."
        )
    if sheet.fan_count > 1:
        lines.append(
            f"Voice {sheet.instance} of {sheet.fan_count}: others work beside you in the same "
            "workspace; leave their files alone."
        )
    lines.append("</marianne-preamble>")
    return "\n".join(lines)


def _checklist(plan: Plan, sheet: SheetPlan) -> str:
    from marianne.score.placeholders import placeholder_names

    names = placeholder_names(plan, sheet)
    return "## Success Requirements\n" + _bullets(describe(r, names) for r in sheet.validations)


def describe(rule: ValidationRule, names: Mapping[str, Any]) -> str:
    """A rule in one line, for the prompt and for people."""
    from marianne.score.placeholders import fill, fill_command

    path, pattern = fill(rule.path or "", names), fill(rule.pattern or "", names)
    what = {
        "file_exists": f"the file {path} exists",
        "dir_exists": f"the directory {path} exists",
        "file_modified": f"the file {path} is changed",
        "content_contains": f"the file {path} contains: {pattern}",
        "content_regex": f"the file {path} matches: {pattern}",
    }.get(rule.type) or f"this command succeeds: {fill_command(rule.command or '', names)}"
    return f"{rule.description}: {what}" if rule.description else what


def _bullets(lines: Any) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _completion(failed: Sequence[str]) -> str:
    text = (
        "## Finish what is missing\n"
        "An earlier attempt did part of this. Keep what is right; do only what these need:\n"
    )
    return text + _bullets(failed)
