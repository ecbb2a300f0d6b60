"""Where the entries of a plan stand when it is drawn: in layers, few lines crossing.

Pure: entries with what they need become places on a grid. A layer is the longest way from an entry
without needs; within a layer the order follows the middle of the neighbours, from both sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

SWEEPS: Final = 4

Needs = Mapping[int, Sequence[int]]


def layers_of(needs: Needs) -> list[list[int]]:
    """The entries by layers. What is needed but not there is passed over, and so is a need that
    would close a circle (entries of a fan-out may need each other's sheets)."""
    depth: dict[int, int] = {}
    for entry in needs:
        _deepen(entry, needs, depth)
    found: list[list[int]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for entry in needs:
        found[depth[entry]].append(entry)
    return found


def _deepen(entry: int, needs: Needs, depth: dict[int, int]) -> None:
    """Sets the depth of an entry and of all before it. A chain may be long: no recursion."""
    todo, under_way = [entry], set[int]()
    while todo:
        one = todo[-1]
        open_ = [n for n in needs[one] if n in needs and n not in depth and n not in under_way]
        if one not in depth and open_ and one not in under_way:
            under_way.add(one)
            todo += open_
            continue
        todo.pop()
        under_way.discard(one)
        if one not in depth:
            depth[one] = 1 + max((depth[n] for n in needs[one] if n in depth), default=-1)


def ordered(layers: list[list[int]], needs: Needs) -> list[list[int]]:
    """The same layers, each in an order in which few lines cross."""
    below: dict[int, list[int]] = {entry: [] for layer in layers for entry in layer}
    above: dict[int, list[int]] = {entry: [] for entry in below}
    for entry in below:
        for need in needs[entry]:
            if need in below:
                above[entry].append(need)
                below[need].append(entry)
    place = {entry: float(i) for layer in layers for i, entry in enumerate(layer)}
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            neighbours = above if down else below
            layer.sort(key=lambda entry: _middle(neighbours[entry], place, place[entry]))
            place.update((entry, float(i)) for i, entry in enumerate(layer))
    return layers


def _middle(neighbours: Iterable[int], place: Mapping[int, float], own: float) -> float:
    places = [place[one] for one in neighbours]
    return sum(places) / len(places) if places else own


def drawn(plan: Mapping[str, Any]) -> dict[str, Any]:
    """An answer to ``job.plan`` with a layer (from the left) and a row of each entry."""
    entries = plan["entries"]
    needs: dict[int, list[int]] = {one["entry"]: one["needs"] for one in entries}
    layers = ordered(layers_of(needs), needs)
    place = {entry: (x, y) for x, layer in enumerate(layers) for y, entry in enumerate(layer)}
    nodes = [
        {**one, "layer": place[one["entry"]][0], "row": place[one["entry"]][1]} for one in entries
    ]
    sizes = {"layers": len(layers), "rows": max(map(len, layers), default=0)}
    return {"total": plan["total"], "more": plan["more"], "nodes": nodes, **sizes}
