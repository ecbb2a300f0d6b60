"""What a score says of Slurm, held against the rest of it and against where its sheets run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from marianne.model.document import PathPart, render_path
from marianne.model.plan import SheetPlan
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


def warn_of_slurm(report: Report) -> None:
    """Warns of each section, for none has an effect: no batch jobs are made where sheets run."""
    for path in _sections(report):
        reason = "the conductor's executor is not of kind slurm"
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
