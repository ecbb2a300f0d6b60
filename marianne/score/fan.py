"""What one entry of ``sheets`` becomes: how many sheets, their names, what each has of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marianne.model.document import PathPart
from marianne.records import dataclass
from marianne.score.graph import MAX_SHEETS
from marianne.score.matrix import combinations, count_at_most, labels
from marianne.score.models_short import Matrix, ShortSheet
from marianne.score.report import Report


@dataclass(frozen=True, slots=True)
class Fan:
    """``items`` are the values of the sheets, if they have some; ``where`` is the key of the entry
    that says so."""

    count: int = 1
    where: str = "fan_out"
    items: Sequence[Any] | None = None
    labels: Sequence[str] | None = None

    def name(self, own: str, instance: int) -> str:
        """The name of the sheet with that number in the fan-out, 1 the first."""
        if self.labels is not None:
            return f"{own}[{self.labels[instance - 1]}]"
        return own if self.count == 1 else f"{own}-{instance}"

    def item(self, instance: int) -> Any:
        """The value of that sheet; None without values."""
        return None if self.items is None else self.items[instance - 1]

    def own_names(self, instance: int) -> dict[str, Any]:
        """The names that only sheets of this entry have, with that sheet's values."""
        item = self.item(instance)
        return item if isinstance(item, dict) else {}

    def names(self) -> dict[str, Any]:
        """The same, of all sheets, with a value of some."""
        if self.where != "matrix":
            return {}
        return {key: value for item in self.items or () for key, value in item.items()}


ONE = Fan()


def fan_of(entry: ShortSheet, place: Sequence[PathPart], report: Report) -> Fan:
    """The fan-out of an entry that stands at ``place``."""
    if entry.matrix is not None:
        return _of_matrix(entry.matrix, [*place, "matrix"], report)
    if isinstance(entry.each, list):
        return Fan(len(entry.each), "each", entry.each)
    return Fan(entry.fan_out) if entry.fan_out else ONE


def _of_matrix(matrix: Matrix, place: Sequence[PathPart], report: Report) -> Fan:
    if not report.knows_all_of(place):
        return ONE
    keys = matrix.values_by_key
    most = count_at_most(keys, matrix.include)
    if most > MAX_SHEETS:
        message = f"the matrix has {most:,} combinations; at most {MAX_SHEETS:,} sheets are allowed"
        report.error(place, message)
        return ONE
    for index, entry in enumerate(matrix.exclude):
        for key in entry:
            if key not in keys:
                words = f"no key of the matrix is called '{key}': it excludes nothing"
                report.error([*place, "exclude", index, key], words, _known(keys), key=True)
    found = combinations(keys, matrix.include, matrix.exclude)
    if not found:
        report.error(place, "no combination is left: all are excluded")
        return ONE
    return Fan(len(found), "matrix", found, labels(found))


def _known(keys: Mapping[str, object]) -> str:
    return f"its keys: {', '.join(keys)}" if keys else "it has only 'include'"
