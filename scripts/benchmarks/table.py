"""One row of a benchmark, and how it is printed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """`ours` and `baseline` are in `unit`; the bar is for their ratio ours / baseline.

    `at_least` turns the bar round: the ratio baseline / ours must be at least the bar.
    """

    name: str
    ours: float
    baseline: float
    unit: str
    bar: float
    at_least: bool = False

    @property
    def ratio(self) -> float:
        return self.baseline / self.ours if self.at_least else self.ours / self.baseline

    @property
    def held(self) -> bool:
        return self.ratio >= self.bar if self.at_least else self.ratio <= self.bar

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "held": self.held}


def print_table(part: str, rows: list[Row]) -> None:
    width = max(len(row.name) for row in rows)
    head = f"{'ours':>10}{'baseline':>10}  {'':6}{'ratio':>7}  bar"
    print(f"{part:<{width}}{head}")
    for row in rows:
        bar = f"{'>=' if row.at_least else '<='} {row.bar:g}"
        sign = "ok" if row.held else "MISSED"
        print(
            f"{row.name:<{width}}{row.ours:>10.2f}{row.baseline:>10.2f}  {row.unit:<6}"
            f"{row.ratio:>7.2f}  {bar}  {sign}"
        )
