"""What a score puts around its sheets: variables of the environment, and where they work. Pure."""

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


def sheet_folder(plan: Plan, sheet: SheetPlan) -> str | None:
    """The absolute directory of ``cwd``; None where none is written. Raises TemplateError."""
    if sheet.cwd is None:
        return None
    folder = render(sheet.cwd, sheet_variables(plan, sheet))
    return os.path.normpath(os.path.join(plan.workspace, folder))
