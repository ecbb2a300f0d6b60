"""One row of a benchmark, and how rows are printed."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One figure beside its bar; ``best`` is the bar that would be better still.

    ``ours`` and ``baseline`` are in ``unit``. With a baseline the figure is ours / baseline, else
    ours. ``at_least`` turns the bar round: the figure is baseline / ours (or ours), and must be at
    least the bar. A row without a bar is there to be known. ``spread``: the middle half of the
    rounds' figures lies between these.
    """

    name: str
    ours: float
    baseline: float | None
    unit: str
    bar: float | None
    at_least: bool = False
    best: float | None = None
    spread: tuple[float, float] | None = None

    @property
    def figure(self) -> float:
        if self.baseline is None:
            return self.ours
        return self.baseline / self.ours if self.at_least else self.ours / self.baseline

    @property
    def held(self) -> bool:
        if self.bar is None:
            return True
        return self.figure >= self.bar if self.at_least else self.figure <= self.bar

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "figure": self.figure, "held": self.held}


def compared(
    name: str,
    ours: Sequence[float],
    baseline: Sequence[float],
    unit: str,
    bar: float | None,
    **options: Any,
) -> Row:
    """A row of rounds in turns: the median of the rounds' ratios counts.

    Shown are the baseline's median, what that ratio makes of it, and the rounds' spread. ``per``
    divides both, ``scale`` multiplies them.
    """
    scale = options.pop("scale", 1.0) / options.pop("per", 1)
    middle = statistics.median(baseline)
    ratios = [mine / other for mine, other in zip(ours, baseline, strict=True)]
    ratio = statistics.median(ratios)
    figures = [1 / one for one in ratios] if options.get("at_least") else ratios
    first, _, third = statistics.quantiles(figures, method="inclusive")
    options["spread"] = first, third
    return Row(name, ratio * middle * scale, middle * scale, unit, bar, **options)


def print_table(part: str, rows: Sequence[Row], before: Mapping[str, float]) -> None:
    """The rows of a part; ``before`` has figures of an earlier run by the rows' names."""
    width = max(len(row.name) for row in rows)
    head = f"{'ours':>10}{'baseline':>10}  {'':6}{'figure':>9} {'spread':<13}{'bar':<10}{'best':<7}"
    print(f"{part:<{width}}{head}{'       before' if before else ''}")
    for row in rows:
        base = "" if row.baseline is None else f"{row.baseline:.2f}"
        bar = "" if row.bar is None else f"{'>=' if row.at_least else '<='} {row.bar:g}"
        best = "" if row.best is None else f"{row.best:g}"
        sign = "" if row.bar is None else "ok" if row.held else "MISSED"
        spread = "" if row.spread is None else "{:.2f}-{:.2f}".format(*row.spread)
        old = before.get(row.name)
        change = "" if old is None else f"{old:>10.2f}"
        print(
            f"{row.name:<{width}}{row.ours:>10.2f}{base:>10}  {row.unit:<6}"
            f"{row.figure:>9.2f} {spread:<13}{bar:<10}{best:<7}{sign:<7}{change}",
            flush=True,
        )
