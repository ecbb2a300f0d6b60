"""Which files a sheet needs and makes where its machine has no workspace in common with others.

``inputs`` and ``outputs`` say it. What a score has put into a prompt or captures is read by its
sheet as well, and so is what a list is made of.
"""

from __future__ import annotations

import glob

from marianne.model.plan import Plan, SheetPlan
from marianne.score.context import injected_path
from marianne.score.prompt import template_variables
from marianne.score.surroundings import sheet_files
from marianne.score.template import render


def brought(plan: Plan, sheet: SheetPlan) -> list[str]:
    """The paths and patterns of what the sheet reads. Raises TemplateError."""
    patterns = sheet_files(plan, sheet)[0]
    patterns += [glob.escape(injected_path(plan, sheet, one)) for one in sheet.injections]
    if sheet.cross_sheet is not None and sheet.cross_sheet.capture_files:
        names = template_variables(plan, sheet)
        patterns += [render(pattern, names) for pattern in sheet.cross_sheet.capture_files]
    source = plan.lists.get(sheet.num)
    if source is not None and sheet is not source.sheet:
        text = render(sheet.prompt.template, template_variables(plan, sheet)).strip()
        patterns.append(text if source.kind == "glob" else glob.escape(text))
    return patterns


def brought_back(plan: Plan, sheet: SheetPlan) -> list[str]:
    """The paths and patterns of what the sheet makes. Raises TemplateError."""
    return sheet_files(plan, sheet)[1]


def lists_names(plan: Plan, sheet: SheetPlan) -> bool:
    """Whether it needs no more of its inputs than how they are called."""
    source = plan.lists.get(sheet.num)
    return source is not None and sheet is not source.sheet and source.kind == "glob"


def leads_out(sheet: SheetPlan) -> list[tuple[str, str]]:
    """What the sheet names outside of its workspace, with the field that does, as it is written."""
    named = [("inputs", path) for path in sheet.inputs]
    named += [("outputs", path) for path in sheet.outputs]
    named += [("inject", one.path) for one in sheet.injections]
    if sheet.cross_sheet is not None:
        named += [("cross_sheet", path) for path in sheet.cross_sheet.capture_files]
    return [(field, path) for field, path in named if outside(path)]


def outside(pattern: str) -> bool:
    """Whether a path or pattern can lead out of the workspace."""
    return pattern.startswith(("/", "~")) or ".." in pattern.split("/")
