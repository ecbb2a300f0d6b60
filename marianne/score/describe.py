"""A plan as plain maps for people: ``validate --expand``, ``run --dry-run``, ``explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from marianne.model.plan import Plan, SheetPlan
from marianne.score.placeholders import placeholder_names
from marianne.score.prompt import describe

if TYPE_CHECKING:
    from marianne.replies.changes import PlannedParam, SheetOutline


def describe_plan(plan: Plan) -> dict[str, Any]:
    """The job and every sheet of it."""
    return {
        "name": plan.name,
        "workspace": plan.workspace,
        "total_sheets": len(plan.sheets),
        "total_stages": plan.total_stages,
        "max_concurrent": plan.max_concurrent,
        "warnings": list(plan.warnings),
        "params": describe_params(plan),
        "sheets": [describe_sheet(plan, sheet) for sheet in plan.sheets],
    }


def describe_params(plan: Plan) -> list[PlannedParam]:
    """What the score's ``params`` are in this run."""
    return [
        {
            "name": name,
            "type": "choice" if isinstance(param["type"], list) else param["type"],
            "choices": param["type"] if isinstance(param["type"], list) else None,
            "value": param["value"],
            "given": param["given"],
            "default": param["default"],
            "required": param["required"],
            "description": param["description"],
        }
        for name, param in plan.params.items()
    ]


def describe_sheet(plan: Plan, sheet: SheetPlan) -> SheetOutline:
    """One sheet: who plays it, after what, for how long, how often, judged by what."""
    names = placeholder_names(plan, sheet)
    return {
        "num": sheet.num,
        "name": sheet.name,
        "stage": sheet.stage,
        "instance": sheet.instance,
        "fan_count": sheet.fan_count,
        "needs": list(sheet.needs),
        "inputs": list(sheet.inputs),
        "outputs": list(sheet.outputs),
        "when": sheet.when,
        "after_cancel": sheet.after_cancel,
        "instrument": sheet.instrument.profile,
        "model": sheet.instrument.model,
        "unavailable": sheet.instrument.unavailable,
        "fallbacks": [instrument.profile for instrument in sheet.fallbacks],
        "timeout_seconds": sheet.timeout_seconds,
        "idle_timeout_seconds": sheet.idle_timeout_seconds,
        "max_retries": sheet.retry.max_retries,
        "skip_when": sheet.skip_when,
        "skip_when_command": sheet.skip_when_command.command if sheet.skip_when_command else None,
        "validations": [
            {"type": rule.type, "stage": rule.stage, "what": describe(rule, names)}
            for rule in sheet.validations
        ],
    }
