"""Stages to sheets: numbering, fan-out, edges, cycles. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from marianne.records import dataclass

MAX_SHEETS = 100_000
MAX_EDGES = 2_000_000


@dataclass(frozen=True, slots=True)
class Stage:
    """One entry of a score before fan-out. ``needs`` are numbers of stages, from 1; ``joins`` says
    that each of its sheets needs all sheets of those, never its counterpart alone."""

    num: int
    needs: tuple[int, ...] = ()
    count: int = 1
    joins: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """One sheet's place: its number, stage, instance, and the sheets that it needs."""

    num: int
    stage: int
    instance: int
    needs: tuple[int, ...]


def count_sheets(stages: Sequence[Stage]) -> int:
    """How many sheets the stages make."""
    return sum(stage.count for stage in stages)


def count_edges(stages: Sequence[Stage]) -> int:
    """How many edges the sheets have, counting what several sheets share each time."""
    counts = {stage.num: stage.count for stage in stages}
    total = 0
    for stage in stages:
        for need in stage.needs:
            source = counts[need]
            paired = source == stage.count and not stage.joins
            total += stage.count if paired or source == 1 else source * stage.count
    return total


def expand(stages: Sequence[Stage]) -> list[Cell]:
    """The sheets, numbered stage by stage. ``stages[i].num == i + 1``.

    Edges: 1 to 1; 1 to N (each target on the source); N to 1 (the target on all); N to N
    (instance i on instance i); N to M (every target on every source).
    """
    first: dict[int, int] = {}
    number = 1
    for stage in stages:
        first[stage.num] = number
        number += stage.count
    counts = {stage.num: stage.count for stage in stages}
    cells: list[Cell] = []
    for stage in stages:
        shared: list[int] = []
        paired: list[int] = []
        for need in stage.needs:
            if counts[need] == stage.count and stage.count > 1 and not stage.joins:
                paired.append(first[need])
            else:
                shared.extend(range(first[need], first[need] + counts[need]))
        common = tuple(sorted(shared))
        for index in range(stage.count):
            needs = common
            if paired:
                needs = tuple(sorted([*common, *(start + index for start in paired)]))
            cells.append(Cell(first[stage.num] + index, stage.num, index + 1, needs))
    return cells


def find_cycle(needs: Mapping[int, Sequence[int]]) -> list[int] | None:
    """One cycle as ``[a, b, a]`` where each needs the next, or None. Iterative: any depth."""
    done: set[int] = set()
    for root in needs:
        if root in done:
            continue
        path: list[int] = []
        on_path: set[int] = set()
        stack: list[tuple[int, int]] = [(root, 0)]
        while stack:
            node, index = stack.pop()
            if index == 0:
                path.append(node)
                on_path.add(node)
            targets = needs.get(node, ())
            while index < len(targets) and targets[index] in done:
                index += 1
            if index == len(targets):
                done.add(node)
                on_path.discard(node)
                path.pop()
                continue
            target = targets[index]
            if target in on_path:
                return [*path[path.index(target) :], target]
            stack.append((node, index + 1))
            stack.append((target, 0))
    return None
