"""The shape of a job: cycles and depths, without recursion, so that a chain may be of any length.

A graph is a map from a sheet's number to the numbers that it needs. A needed number that is no
key of the map counts as there and needing nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Needs = Mapping[int, Iterable[int]]


def find_cycle(needs: Needs) -> list[int] | None:
    """A cycle as a path whose first and last number are the same, or None.

    Each number in the path is needed by the one before it. The same graph gives the same path.
    """
    finished: set[int] = set()
    for start in needs:
        if start in finished:
            continue
        path = [start]
        on_path = {start}
        branches = [iter(needs[start])]
        while path:
            for need in branches[-1]:
                if need in on_path:
                    return [*path[path.index(need) :], need]
                if need in needs and need not in finished:
                    path.append(need)
                    on_path.add(need)
                    branches.append(iter(needs[need]))
                    break
            else:
                branches.pop()
                on_path.discard(path[-1])
                finished.add(path.pop())
    return None


def dependents(needs: Needs) -> dict[int, list[int]]:
    """For each number that others need: those others, in the order of the map."""
    found: dict[int, list[int]] = {}
    for num, needed in needs.items():
        for need in needed:
            found.setdefault(need, []).append(num)
    return found


def depths(needs: Needs) -> dict[int, int]:
    """For each key the length of the longest chain below it: 0 for one that needs nothing.

    Raises ValueError when there is a cycle.
    """
    below = {num: {need for need in needed if need in needs} for num, needed in needs.items()}
    above = dependents(below)
    missing = {num: len(needed) for num, needed in below.items()}
    depth = dict.fromkeys(needs, 0)
    ready = [num for num, count in missing.items() if count == 0]
    seen = 0
    while ready:
        num = ready.pop()
        seen += 1
        for upper in above.get(num, ()):
            depth[upper] = max(depth[upper], depth[num] + 1)
            missing[upper] -= 1
            if missing[upper] == 0:
                ready.append(upper)
    if seen < len(depth):
        cycle = find_cycle(needs) or []
        raise ValueError(f"circular dependency: {' -> '.join(map(str, cycle))}")
    return depth
