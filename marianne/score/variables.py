"""The names that a template, a condition and a placeholder can use, for one sheet."""

from __future__ import annotations

from typing import Any

from marianne.model.plan import Plan, SheetPlan

# Every name that builtin_variables can give; a test holds the two together.
BUILTIN_NAMES = (
    "workspace",
    "project_root",
    "score_dir",
    "job_name",
    "sheet_num",
    "sheet_name",
    "total_sheets",
    "stage",
    "movement",
    "total_stages",
    "total_movements",
    "instance",
    "voice",
    "fan_count",
    "voice_count",
    "start_item",
    "end_item",
    "instrument_name",
    "item",
)

GIVEN_NAMES = (
    "previous_outputs",
    "previous_files",
    "skipped_upstream",
    "injected_context",
    "injected_skills",
    "injected_tools",
)
"""What only an attempt can fill in."""


def builtin_variables(plan: Plan, sheet: SheetPlan) -> dict[str, Any]:
    """The names that every sheet has."""
    names: dict[str, Any] = {
        "workspace": plan.workspace,
        "project_root": plan.project_root or plan.workspace,
        "score_dir": plan.score_dir or plan.workspace,
        "job_name": plan.name,
        "sheet_num": sheet.num,
        "sheet_name": sheet.name,
        "total_sheets": len(plan.sheets),
        "stage": sheet.stage,
        "movement": sheet.stage,
        "total_stages": plan.total_stages,
        "total_movements": plan.total_stages,
        "instance": sheet.instance,
        "voice": sheet.instance,
        "fan_count": sheet.fan_count,
        "voice_count": sheet.fan_count,
        "start_item": sheet.start_item,
        "end_item": sheet.end_item,
        "instrument_name": sheet.instrument.profile,
    }
    if sheet.item is not None:
        names["item"] = sheet.item
    return names


def sheet_variables(plan: Plan, sheet: SheetPlan) -> dict[str, Any]:
    """The built-in names with the score's own variables over them, and over all the values of its
    combination in a matrix."""
    names = {**builtin_variables(plan, sheet), **sheet.prompt.variables}
    if type(sheet.item) is dict:
        names.update(sheet.item)
    return names
