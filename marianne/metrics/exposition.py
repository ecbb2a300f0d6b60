"""Figures as text: the exposition format of Prometheus, version 0.0.4. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marianne.replies.metrics import Family, Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(families: Iterable[Family]) -> str:
    """One line for each sample, below what its family means."""
    return "".join(f"{line}\n" for family in families for line in _lines(family))


def _lines(family: Family) -> Iterator[str]:
    meaning = family["help"].replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {family['name']} {meaning}"
    yield f"# TYPE {family['name']} {family['type']}"
    yield from map(_sample, family["samples"])


def _sample(sample: Sample) -> str:
    labels = ",".join(f'{name}="{_quoted(value)}"' for name, value in sample["labels"].items())
    return (
        f"{sample['name']}{{{labels}}} {number(sample['value'])}"
        if labels
        else (f"{sample['name']} {number(sample['value'])}")
    )


def _quoted(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def number(value: float) -> str:
    """As Go reads it: whole numbers without a point, +Inf, NaN."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)
