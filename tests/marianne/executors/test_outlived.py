"""Who is interrupted by the end of its node for the whole of its life has failed."""

from __future__ import annotations

from typing import Any

import pytest

from marianne.executors.warden.outlived import at_limit, judged, near_end
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
    assert near_end(ends_at, stopped_at, 10.0) is near


def test_what_ran_at_the_limit_of_its_own_batch_job_has_failed_by_it_by_name() -> None:
    found = at_limit(ended(3000.0), "n3-17")
    assert (found["outcome"], found["category"]) == ("failed", "timeout")
    assert found["message"] == (
        "Slurm's time limit of its batch job (n3-17) was near after 3,000 s: give it more"
        " (slurm.time)"
    )
    assert at_limit(ended(3000.0, "cancelled"), "n3-17")["category"] == "cancelled"
