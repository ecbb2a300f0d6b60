"""Who is interrupted by the end of its node for the whole of its life has failed."""

from __future__ import annotations

from typing import Any

import pytest

from marianne.model.result import AttemptResult
from marianne.run.outlived import by_limit, limit_of


def ended(ran: float, category: str = "stopped") -> dict[str, Any]:
    return AttemptResult(1, 1, "interrupted", 50.0, 50.0 + ran, category=category).to_map()


@pytest.mark.parametrize(
    ("result", "limit"),
    [
        (ended(79.0), {"lifetime": 100.0}),
        (ended(1000.0), {}),
        (ended(99.0, "cancelled"), {"lifetime": 100.0}),
        (ended(99.0, "lost"), {"lifetime": 100.0}),
        (ended(3000.0, "cancelled"), {"node": "n3-17"}),
    ],
)
def test_any_other_stays_as_it_is(result: dict[str, Any], limit: dict[str, Any]) -> None:
    assert by_limit(result, limit) is result


def test_four_fifths_of_a_life_are_enough() -> None:
    found = by_limit(ended(3000.0), {"lifetime": 3600.0})
    assert (found["outcome"], found["category"]) == ("failed", "timeout")
    assert found["message"] == (
        "it ran for 3,000 s, as long as its node lives (3,600 s): it needs one that lives longer"
        " (pilots.seconds)"
    )


@pytest.mark.parametrize(
    ("ends_at", "stopped_at", "near"),
    [
        (None, 5000.0, False),
        (5000.0, 4959.0, True),  # its grace and half a minute before
        (5000.0, 4900.0, True),  # a minute earlier than that
        (5000.0, 5300.0, True),  # the limit was moved
        (5000.0, 4000.0, False),
    ],
)
def test_a_batch_job_that_is_told_to_end_near_its_limit_is_told_so_for_that(
    ends_at: float | None, stopped_at: float, near: bool
) -> None:
    told = limit_of("n3-17", None, ends_at, stopped_at, 10.0)
    assert told == ({"node": "n3-17"} if near else {})


def test_a_node_for_many_sheets_tells_how_long_it_lives() -> None:
    assert limit_of("n3-17", 3600.0, None, 5000.0, 10.0) == {"lifetime": 3600.0}


def test_what_ran_at_the_limit_of_its_own_batch_job_has_failed_by_it_by_name() -> None:
    found = by_limit(ended(3000.0), {"node": "n3-17"})
    assert (found["outcome"], found["category"]) == ("failed", "timeout")
    assert found["message"] == (
        "Slurm's time limit of its batch job (n3-17) was near after 3,000 s: give it more"
        " (slurm.time)"
    )
