"""How soon memory is looked at again where the kernel keeps no limit of it."""

from __future__ import annotations

import pytest

from marianne.run.limits import LONGEST_LOOK, SHORTEST_LOOK, next_look


@pytest.mark.parametrize(
    ("used", "growth", "seconds"),
    [
        (100, 0, LONGEST_LOOK),
        (100, -50, LONGEST_LOOK),
        (100, 10, LONGEST_LOOK),
        (300, 100, 1.0),
        (480, 50, 0.2),
        (499, 4000, SHORTEST_LOOK),
    ],
)
def test_what_grows_is_looked_at_before_it_is_at_its_limit(
    used: float, growth: float, seconds: float
) -> None:
    assert next_look(500, used, growth) == seconds


def test_what_grows_evenly_is_over_its_limit_by_a_tenth_of_a_seconds_growth_at_most() -> None:
    growth, limit, used, looks = 100.0, 500.0, 25.0, 0
    while used <= limit:
        used += growth * next_look(limit, used, growth)
        looks += 1
    assert used - limit <= growth * SHORTEST_LOOK
    assert looks < 12
