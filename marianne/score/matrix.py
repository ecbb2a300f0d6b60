"""The combinations of a ``matrix``, with the semantics of GitHub Actions. Pure.

Every value of every key with every other. ``exclude`` takes away those that have all its values;
then each entry of ``include`` adds its other keys to all combinations of which it contradicts no
value, or, where there is none, is a combination of its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

Value = str | int | float
Combination = dict[str, Value]


def count_at_most(keys: Mapping[str, Sequence[Value]], include: Sequence[Combination]) -> int:
    """How many combinations there can be; costs nothing."""
    return (math.prod(map(len, keys.values())) if keys else 0) + len(include)


def combinations(
    keys: Mapping[str, Sequence[Value]],
    include: Sequence[Combination],
    exclude: Sequence[Combination],
) -> list[Combination]:
    """The combinations in the order of the keys and values as they are written."""
    every = (
        dict(zip(keys, values, strict=True))
        for values in (itertools.product(*keys.values()) if keys else ())
    )
    found = [one for one in every if not any(_has(one, some) for some in exclude)]
    # What the keys say of each; what an include has added may be overwritten by a later one.
    written = [dict(one) for one in found]
    more: list[Combination] = []
    for entry in include:
        fitting = [
            one for one, own in zip(found, written, strict=True) if _contradicts_none(own, entry)
        ]
        for one in fitting:
            one.update(entry)
        if not fitting:
            more.append(dict(entry))
    return found + more


def labels(found: Sequence[Combination]) -> list[str]:
    """A label for each combination: its values, joined by ``-``; with the keys where that alone
    would be the same for two."""
    short = ["-".join(map(str, one.values())) for one in found]
    if len(set(short)) == len(short):
        return short
    long = [",".join(f"{key}={value}" for key, value in one.items()) for one in found]
    if len(set(long)) == len(long):
        return long
    return [f"{label}#{place}" for place, label in enumerate(long, 1)]


def _has(one: Combination, some: Combination) -> bool:
    return all(key in one and one[key] == value for key, value in some.items())


def _contradicts_none(own: Combination, entry: Combination) -> bool:
    return all(own.get(key, value) == value for key, value in entry.items())
