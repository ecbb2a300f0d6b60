"""Who is interrupted by the end of its node for the whole of its life has failed."""

from __future__ import annotations

from typing import Any

import pytest

from marianne.executors.warden.outlived import judged
from marianne.model.result import AttemptResult


def ended(ran: float, category: str = "stopped") -> dict[str, Any]:
    return AttemptResult(1, 1, "interrupted", 50.0, 50.0 + ran, category=category).to_map()


@pytest.mark.parametrize(
    ("result", "lifetime"),
    [
        (ended(79.0), 100.0),
        (ended(1000.0), None),
        (ended(99.0, "cancelled"), 100.0),
        (ended(99.0, "lost"), 100.0),
    ],
)
def test_any_other_stays_as_it_is(result: dict[str, Any], lifetime: float | None) -> None:
    assert judged(result, lifetime) is result


def test_four_fifths_of_a_life_are_enough() -> None:
    found = judged(ended(3000.0), 3600.0)
    assert (found["outcome"], found["category"]) == ("failed", "timeout")
    assert found["message"] == (
        "it ran for 3,000 s, as long as its node lives (3,600 s): it needs one that lives longer"
        " (pilots.seconds)"
    )
