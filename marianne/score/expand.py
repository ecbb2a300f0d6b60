"""What an expansion of either form gives, and the steps that both share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field, replace

from marianne.model.document import PathPart
from marianne.model.plan import ListSource, SheetPlan
from marianne.records import dataclass
from marianne.score.graph import (
    MAX_EDGES,
    MAX_SHEETS,
    Cell,
    Stage,
    count_edges,
    count_sheets,
    expand,
    find_cycle,
)
from marianne.score.preflight import thinking
from marianne.score.report import Report


@dataclass(slots=True)
class Expansion:
    """The sheets of a score; where each stage's template stands in the file, for messages."""

    sheets: list[SheetPlan]
    total_stages: int
    template_paths: dict[int, Sequence[PathPart]]
    templates_from_files: bool = False
    lists: dict[int, ListSource] = field(default_factory=dict)


def think(expansion: Expansion, method: str) -> None:
    """Prompts that say nothing of how to think do so by this method."""
    expansion.sheets[:] = thinking(expansion.sheets, method)
    for num, source in expansion.lists.items():
        (sheet,) = thinking([source.sheet], method)
        expansion.lists[num] = replace(source, sheet=sheet)


def make_cells(
    stages: Sequence[Stage],
    report: Report,
    where: Callable[[int], Sequence[PathPart]],
    width: Callable[[int], Sequence[PathPart]],
    label: Callable[[int], str],
) -> list[Cell]:
    """The sheets of the stages; nothing, with the errors reported, when they cannot be made.

    ``where`` is the place of a stage's needs in the file, ``width`` that of its fan-out, ``label``
    what its author calls it.
    """
    total = count_sheets(stages)
    if total > MAX_SHEETS:
        largest = max(stages, key=lambda stage: stage.count)
        message = f"the score would make {total:,} sheets; at most {MAX_SHEETS:,} are allowed"
        report.error(width(largest.num), message)
        return []
    edges = count_edges(stages)
    if edges > MAX_EDGES:
        message = f"the sheets would have {edges:,} dependencies; at most {MAX_EDGES:,}"
        widest = max(stages, key=lambda stage: stage.count)
        report.error(width(widest.num), message, "put one sheet between the two wide ones")
        return []
    cycle = find_cycle({stage.num: stage.needs for stage in stages})
    if cycle:
        names = " -> ".join(label(number) for number in cycle)
        report.error(where(cycle[0]), f"circular dependency: {names}", "each needs the next")
    return expand(stages)
