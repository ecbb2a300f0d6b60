"""What a score says of Slurm, held against the rest of it and against where its sheets run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from marianne.model.document import PathPart, render_path
from marianne.model.placement import executors_for
from marianne.model.plan import Plan, SheetPlan
from marianne.score.expand import Expansion
from marianne.score.report import Report

KEY = "slurm"


def check_slurm(sheet: SheetPlan, place: Sequence[PathPart], report: Report) -> None:
    """Reports a sheet that says twice how many graphics processors it takes. ``place`` is that of
    its text."""
    gres = (sheet.slurm or {}).get("gres") or ""
    if not sheet.gpus or not any(one.partition(":")[0] == "gpu" for one in gres.split(",")):
        return
    own = (*place[:2], KEY)
    path = next((path for path in _sections(report) if path == own), (KEY,))
    report.error(
        [*path, "gres"],
        f"asks for graphics processors, as do its resources (gpus: {sheet.gpus})",
        "say it once: 'gpus' becomes --gres=gpu:N",
    )


def warn_of_slurm(plan: Plan, expansion: Expansion, report: Report, batch: Collection[str]) -> None:
    """Warns of each section that has no effect, for no sheet that it is for may run on one of these
    executors, which make batch jobs."""
    able: set[tuple[PathPart, ...]] = set()
    for sheet in plan.written:
        if any(name in batch for name in executors_for(plan, sheet)):
            paths = expansion.template_paths
            able |= {(), tuple(paths.get(sheet.stage) or paths.get(sheet.num, ()))[:2]}
    for path in _sections(report):
        if path[:-1] not in able:
            reason = "it runs on no executor of kind slurm"
            report.warn_at(path, f"{render_path(path)}: accepted, no effect ({reason})", key=True)


def _sections(report: Report) -> Iterator[tuple[PathPart, ...]]:
    data = report.document.data
    if not isinstance(data, dict):
        return
    if data.get(KEY):
        yield (KEY,)
    sheets = data.get("sheets")
    for index, sheet in enumerate(sheets if isinstance(sheets, list) else ()):
        if isinstance(sheet, dict) and sheet.get(KEY):
            yield ("sheets", index, KEY)
