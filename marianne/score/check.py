"""Finds at load what would otherwise end a sheet: every sheet is rendered once, with nothing yet
captured from earlier ones, and every skip expression is compiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from marianne.model.document import PathPart
from marianne.model.errors import did_you_mean
from marianne.model.placement import LOCAL, executor_of
from marianne.model.plan import Plan, Prompt, SheetPlan
from marianne.score.check_shell import ShellCheck
from marianne.score.expand import Expansion
from marianne.score.preflight import is_prompt
from marianne.score.prompt import skip_names, template_variables
from marianne.score.quoting import EARLIER, warnings_of
from marianne.score.report import Report
from marianne.score.settings import ScoreSettings
from marianne.score.slurm import check_slurm
from marianne.score.supply import Lack
from marianne.score.template import TemplateError, evaluate, render
from marianne.score.variables import sheet_variables


def check_plan(
    plan: Plan,
    expansion: Expansion,
    report: Report,
    settings: ScoreSettings,
    shell: ShellCheck | None = None,
) -> None:
    """Reports templates that cannot be rendered, skip expressions that cannot be read, and prompts
    that are too long even without what earlier sheets put into them; sheets that take more than
    there is, limits that cannot be kept; with ``shell`` also scripts that bash cannot read."""
    supply, keepers = settings.supply, settings.keepers
    longest: dict[tuple[PathPart, ...], int] = {}
    remarks: set[str] = set()
    for sheet in plan.written:
        if sheet.skip_when is not None:
            _check_skip(plan, sheet, expansion, report)
        text = _check_texts(plan, sheet, expansion, report)
        here = executor_of(plan, sheet) == LOCAL
        if supply is not None and here:
            _check_lack(sheet, "resources", supply.lack(sheet), expansion, report)
        if keepers is not None:
            those = keepers if here else keepers.on_a_cluster()
            _check_lack(sheet, "limits", those.lack(sheet), expansion, report)
            if remark := those.remark(sheet):
                remarks.add(remark)
        if sheet.slurm is not None:
            check_slurm(sheet, _place(sheet, expansion), report)
        if sheet.env or sheet.cwd or sheet.outputs:
            _check_surroundings(plan, sheet, expansion, report)
        if shell is not None and not _is_pattern(plan, sheet):
            shell.add(plan, sheet, text, _place(sheet, expansion))
        if text and is_prompt(sheet.prompt, sheet.instrument):
            place = _place(sheet, expansion)
            longest[place] = max(longest.get(place, 0), len(text))
    for place, characters in longest.items():
        if refusal := settings.prompts.refusal(characters):
            report.error(place, refusal, "shorten it, or set another limit in conductor.yaml")
        elif remark := settings.prompts.remark(characters):
            report.warn_at(place, remark)
    for remark in sorted(remarks):
        report.warn(remark)
    if shell is not None:
        shell.finish(plan, report, from_file=expansion.templates_from_files)


def _check_texts(plan: Plan, sheet: SheetPlan, expansion: Expansion, report: Report) -> str | None:
    """The rendered template, None where it cannot be; checks the sheet's paths as well."""
    prompt = sheet.prompt
    patterns = sheet.cross_sheet.capture_files if sheet.cross_sheet else ()
    text: str | None = prompt.template
    if "{" not in prompt.template and not sheet.injections and not patterns:
        return text
    names = template_variables(plan, sheet)
    try:
        text = render(prompt.template, names, script=prompt.script)
    except TemplateError as error:
        _report(plan, sheet, prompt, error, expansion, report)
        text = None
    if not (is_prompt(prompt, sheet.instrument) or _is_pattern(plan, sheet)):
        foreign = EARLIER | {"item"} if _is_of_list(plan, sheet) else EARLIER
        for words in warnings_of(prompt.template, names, foreign):
            report.warn(f"sheet '{sheet.name}': {words}")
    _check_paths(sheet, patterns, names, expansion, report)
    return text


def _check_paths(
    sheet: SheetPlan,
    patterns: Sequence[str],
    names: dict[str, Any],
    expansion: Expansion,
    report: Report,
) -> None:
    """The templates in the paths of injections and captured files."""
    for what, path in (
        *(("an injected path", injection.path) for injection in sheet.injections),
        *(("a capture_files pattern", pattern) for pattern in patterns),
    ):
        try:
            render(path, names)
        except TemplateError as error:
            if error.undefined and not report.knows_variables(_place(sheet, expansion)):
                continue
            hint = did_you_mean(error.undefined, names) if error.undefined else None
            report.error([], f"{what}, '{path}': {error.message}", hint)


def _check_surroundings(plan: Plan, sheet: SheetPlan, expansion: Expansion, report: Report) -> None:
    """The templates in the sheet's environment, its directory, and what it makes and of what."""
    names = sheet_variables(plan, sheet)
    texts: dict[tuple[PathPart, ...], str] = {
        ("env", name): value for name, value in (sheet.env or {}).items()
    }
    if sheet.cwd is not None:
        texts["cwd",] = sheet.cwd
    for field, patterns in (("inputs", sheet.inputs), ("outputs", sheet.outputs)):
        texts.update(((field, index), text) for index, text in enumerate(patterns))
    own: tuple[PathPart, ...] = (*_place(sheet, expansion)[:2],)
    for key, text in texts.items():
        if "{" not in text:
            continue
        try:
            render(text, names)
        except TemplateError as error:
            if error.undefined and not report.knows_variables(_place(sheet, expansion)):
                continue
            path = (*own, *key) if report.says((*own, *key)) else key
            hint = did_you_mean(error.undefined, names) if error.undefined else None
            report.error(path, error.message, hint)


def _check_lack(
    sheet: SheetPlan, section: str, lack: Lack | None, expansion: Expansion, report: Report
) -> None:
    if lack is None:
        return
    key = (section, lack.field)
    own = (*_place(sheet, expansion)[:2], *key)
    report.error(own if report.says(own) else key, lack.message, lack.hint)


def _report(
    plan: Plan,
    sheet: SheetPlan,
    prompt: Prompt,
    error: TemplateError,
    expansion: Expansion,
    report: Report,
) -> None:
    path = _place(sheet, expansion)
    if error.undefined and not report.knows_variables(path):
        return
    document = report.document
    in_file = expansion.templates_from_files
    line, column = document.locate(path) if in_file else document.text_line(path, error.line)
    message = error.message
    hint = None
    if in_file:
        message = f"line {error.line} of the file: {message}"
    if error.undefined:
        hint = did_you_mean(error.undefined, template_variables(plan, sheet))
        hint = hint or "define it under 'variables' or with --var"
    elif "template syntax" in message and prompt.script:
        hint = "in a script only {{ }} and {% %} are templates; {% raw %} keeps them as they are"
    report.error_at(path, line, column, message, hint)


def _is_of_list(plan: Plan, sheet: SheetPlan) -> bool:
    """Whether it stands for what a list makes."""
    source = plan.lists.get(sheet.num)
    return source is not None and sheet is source.sheet


def _is_pattern(plan: Plan, sheet: SheetPlan) -> bool:
    """Whether its text is a pattern or the name of a file, which nothing runs."""
    source = plan.lists.get(sheet.num)
    return source is not None and sheet is not source.sheet and source.kind != "command"


def _place(sheet: SheetPlan, expansion: Expansion) -> tuple[PathPart, ...]:
    """Where the sheet's template stands in the score."""
    paths = expansion.template_paths
    source = expansion.lists.get(sheet.num)
    if source is not None and sheet is not source.sheet:
        return (*paths[sheet.stage][:2], "each", source.kind)
    return tuple(paths.get(sheet.stage) or paths.get(sheet.num, ()))


def _check_skip(plan: Plan, sheet: SheetPlan, expansion: Expansion, report: Report) -> None:
    stage_path = expansion.template_paths.get(sheet.stage, ())
    path: list[PathPart] = ["sheet", "skip_when", sheet.stage]
    if stage_path and stage_path[0] == "sheets":
        path = ["sheets", sheet.stage - 1, "skip_when"]
    try:
        evaluate(sheet.skip_when or "", skip_names(plan, sheet, {}))
    except TemplateError as error:
        if error.undefined and not report.knows_variables(path):
            return
        if error.undefined or "syntax" in error.message or "not allowed" in error.message:
            hint = "known names: sheets, job and the variables"
            report.error(path, error.message, hint)
