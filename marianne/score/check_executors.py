"""Whether the executors that a score names are there, and are such that one job may have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from marianne.model.document import PathPart
from marianne.model.errors import did_you_mean
from marianne.model.placement import LOCAL, executor_of, executors_of
from marianne.model.plan import Plan, SheetPlan
from marianne.score.expand import Expansion
from marianne.score.report import Report


class Known(NamedTuple):
    """The executors that there are, first that of what says nothing else; and which of them was
    asked for, over what the score says."""

    names: tuple[str, ...]
    asked: str | None = None

    @property
    def default(self) -> str:
        """Where sheets run that say nothing else."""
        return self.names[0] if self.names else LOCAL


def check_executors(plan: Plan, expansion: Expansion, report: Report, known: Known) -> None:
    """Reports executors that there are none of; and a second cluster, where a job may have one
    beside the conductor's machine."""
    if known.asked is not None and known.asked not in known.names:
        report.error([], f"--executor: {_none_called(known.asked)}", _hint(known.asked, known))
    seen: set[str] = {known.asked or ""}
    for name, path, of in _named(plan, expansion, report):
        if name not in known.names and name not in seen:
            seen.add(name)
            report.error(path, f"{of}{_none_called(name)}", _hint(name, known))
    clusters = [name for name in executors_of(plan) if name != LOCAL and name in known.names]
    if len(clusters) > 1:
        path, _ = next(_at(plan, expansion, report, clusters[1]), ([], ""))
        report.error(
            path,
            f"the job has sheets on {' and on '.join(clusters)}",
            "a job is on one cluster, with the conductor's machine beside it: make two jobs of it",
        )


def _none_called(name: str) -> str:
    return f"no executor is called '{name}'"


def _hint(name: str, known: Known) -> str:
    names = known.names or (LOCAL,)
    there = f"'executors' of conductor.yaml has {', '.join(n for n in names if n != LOCAL)}"
    if len(names) == 1:
        there = f"conductor.yaml has none beside {LOCAL}: describe it there, in 'executors'"
    return did_you_mean(name, names) or there


def _named(
    plan: Plan, expansion: Expansion, report: Report
) -> Iterator[tuple[str, list[PathPart], str]]:
    """Each name that the score and its instruments say, where, and whose it is."""
    if report.says(["executor"]):
        yield str(report.document.data["executor"]), ["executor"], ""
    for sheet in plan.written:
        if sheet.executor is not None:
            yield sheet.executor, _path(sheet, expansion, report, "executor"), ""
        for player in (sheet.instrument, *sheet.fallbacks):
            if player.executor is not None:
                path = _path(sheet, expansion, report, "instrument")
                yield player.executor, path, f"instrument {player.profile}: "


def _at(
    plan: Plan, expansion: Expansion, report: Report, name: str
) -> Iterator[tuple[list[PathPart], str]]:
    for sheet in plan.written:
        if executor_of(plan, sheet) == name:
            yield _path(sheet, expansion, report, "executor"), name


def _path(sheet: SheetPlan, expansion: Expansion, report: Report, field: str) -> list[PathPart]:
    """Where the sheet, or else the score, says it."""
    own = [*expansion.template_paths.get(sheet.stage, ())[:2], field]
    return own if report.says(own) else [field]
