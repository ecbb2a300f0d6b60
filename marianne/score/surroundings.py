"""What a score puts around its sheets: their environment, where they work, what they make and of
what. Pure."""

from __future__ import annotations

import os

from marianne.model.plan import Plan, SheetPlan
from marianne.score.template import render
from marianne.score.variables import sheet_variables


def sheet_env(plan: Plan, sheet: SheetPlan) -> dict[str, str]:
    """The variables of ``env``, rendered. Raises TemplateError."""
    if not sheet.env:
        return {}
    names = sheet_variables(plan, sheet)
    return {name: render(value, names) for name, value in sheet.env.items()}


def sheet_files(plan: Plan, sheet: SheetPlan) -> tuple[list[str], list[str]]:
    """The paths and patterns of ``inputs`` and of ``outputs``, rendered. Raises TemplateError."""
    names = sheet_variables(plan, sheet)
    inputs, outputs = ([render(p, names) for p in some] for some in (sheet.inputs, sheet.outputs))
    return inputs, outputs


def sheet_folder(plan: Plan, sheet: SheetPlan) -> str | None:
    """The absolute directory of ``cwd``; None where none is written. Raises TemplateError."""
    if sheet.cwd is None:
        return None
    folder = render(sheet.cwd, sheet_variables(plan, sheet))
    return os.path.normpath(os.path.join(plan.workspace, folder))
