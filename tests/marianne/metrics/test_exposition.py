"""Figures as Prometheus reads them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from marianne.metrics.exposition import exposition, number

if TYPE_CHECKING:
    from marianne.replies.metrics import Family


def test_a_family_is_its_meaning_its_type_and_a_line_a_sample() -> None:
    family: Family = {
        "name": "m_total",
        "type": "counter",
        "help": "a\\b\nc",
        "samples": [
            {"name": "m_total", "labels": {}, "value": 2.0},
            {"name": "m_total", "labels": {"a": 'x"\\\n', "b": ""}, "value": 0.5},
        ],
    }
    assert exposition([family]).splitlines() == [
        "# HELP m_total a\\\\b\\nc",
        "# TYPE m_total counter",
        "m_total 2",
        'm_total{a="x\\"\\\\\\n",b=""} 0.5',
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.0, "3"), (0.25, "0.25"), (1e300, "1e+300"), (math.inf, "+Inf"), (math.nan, "NaN")],
)
def test_numbers_are_written_as_go_reads_them(value: float, text: str) -> None:
    assert number(value) == text
