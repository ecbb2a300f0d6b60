"""Figures of the conductor, for whoever watches many."""

from __future__ import annotations

from typing import Literal, TypedDict


class Sample(TypedDict):
    """One number."""

    name: str
    """the family's, of a histogram with `_bucket`, `_sum` or `_count` behind it"""
    labels: dict[str, str]
    value: float


class Family(TypedDict):
    """What is measured."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    help: str
    samples: list[Sample]


class Metrics(TypedDict):
    """All figures. Counters begin at 0 with each conductor."""

    families: list[Family]
