"""Whether sheets say which files they need and make, where they run without a directory in common
with the conductor."""

from __future__ import annotations

from collections.abc import Collection

from marianne.model.document import PathPart
from marianne.model.placement import executors_for
from marianne.model.plan import Plan, SheetPlan
from marianne.score.expand import Expansion
from marianne.score.report import Report
from marianne.score.staging import leads_out


def check_staging(
    plan: Plan, expansion: Expansion, report: Report, staged: Collection[str]
) -> None:
    """Reports what cannot be brought to a node of these executors, or back."""
    any_staged = False
    for sheet in plan.written:
        executor = next((name for name in executors_for(plan, sheet) if name in staged), None)
        if executor is not None:
            any_staged = True
            _check(plan, sheet, executor, _entry(sheet, expansion), report)
    if any_staged and (plan.extras.get("workspace_lifecycle") or {}).get("archive_on_fresh"):
        report.error(
            ["workspace_lifecycle", "archive_on_fresh"],
            "is not possible where sheets run without a shared directory",
            "set it to false, or set shared_directory of the executor in conductor.yaml",
        )


def _check(
    plan: Plan, sheet: SheetPlan, executor: str, entry: tuple[PathPart, ...], report: Report
) -> None:
    where = f"executor {executor}, which shares no directory with the conductor"
    source = plan.lists.get(sheet.num)
    if source is not None and sheet is not source.sheet:
        if source.kind == "command":
            report.error(
                [*entry, "each", "command"],
                f"runs on {where}: it would see no file of the workspace",
                "have a sheet with outputs write the list, and take it with 'json'",
            )
        return
    if not (sheet.inputs or sheet.outputs or sheet.makes_nothing):
        report.error(
            entry,
            f"sheet '{sheet.name}' runs on {where}, and does not say which files it needs and"
            " makes",
            "write inputs and outputs (outputs: [] if it makes none), or set shared_directory of"
            " the executor in conductor.yaml",
        )
    for field, path in leads_out(sheet):
        report.error(
            [*entry, field],
            f"'{path}' leads out of the workspace, and the sheet runs on {where}",
            "name files in the workspace, or set shared_directory of the executor",
        )


def _entry(sheet: SheetPlan, expansion: Expansion) -> tuple[PathPart, ...]:
    paths = expansion.template_paths
    return tuple(paths.get(sheet.stage) or paths.get(sheet.num, ()))[:2]
