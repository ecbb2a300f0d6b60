"""A job stops asking an instrument that keeps failing, tries it out, and goes on when it works."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from marianne.schedule.breaker import THRESHOLD, Breakers, works

NAME = "agent"


@dataclass
class Ending:
    outcome: str = "failed"
    category: str | None = None
    code: str | None = None
    pass_percent: float = 0.0
    retry_after: float | None = None


def opened(now: float = 0.0) -> Breakers:
    made = Breakers()
    for num in range(1, THRESHOLD + 1):
        made.ended(num, NAME, False, now)
    return made


def test_five_failures_in_a_row_open_it_and_four_do_not() -> None:
    made = Breakers()
    for num in range(1, THRESHOLD):
        made.ended(num, NAME, False, 0.0)
    assert made.wait(9, NAME, 0.0) is None
    made.ended(5, NAME, False, 0.0)
    assert made.wait(9, NAME, 0.0) == 30.0
    assert made.wait(9, "other", 0.0) is None


def test_a_success_between_begins_the_count_anew() -> None:
    made = Breakers()
    for working in (False, False, False, False, True, False, False, False, False):
        made.ended(1, NAME, working, 0.0)
    assert made.wait(9, NAME, 0.0) is None


def test_when_the_wait_is_over_one_tries_and_the_others_wait_for_it() -> None:
    made = opened()
    for num in (6, 7):
        assert made.wait(num, NAME, 1.0) == 30.0
    assert made.wait(6, NAME, 30.0) is None
    made.started(6, NAME)
    assert made.wait(7, NAME, 30.0) == math.inf
    assert made.ended(6, NAME, True, 33.0) == {7: 33.0}
    assert made.wait(7, NAME, 33.0) is None
    assert made.stored() == {}


def test_a_try_that_fails_doubles_the_wait_up_to_300_seconds() -> None:
    made, now, waits = opened(), 0.0, []
    for _ in range(6):
        when = made.wait(6, NAME, now)
        assert when is not None
        waits.append(when - now)
        assert made.wait(6, NAME, when) is None
        made.started(6, NAME)
        made.held[7] = NAME
        now = when
        assert made.ended(6, NAME, False, now) == {7: made.known[NAME].until}
    assert waits == [30, 60, 120, 240, 300, 300]


def test_a_try_that_says_nothing_lets_the_next_one_try() -> None:
    made = opened()
    made.wait(6, NAME, 1.0)
    made.wait(7, NAME, 1.0)
    assert made.wait(6, NAME, 31.0) is None
    made.started(6, NAME)
    assert made.ended(6, NAME, None, 40.0) == {7: 40.0}
    assert made.wait(7, NAME, 40.0) is None


def test_what_still_ran_when_it_opened_opens_it_no_further() -> None:
    made = opened()
    assert made.ended(6, NAME, False, 10.0) == {}
    assert made.wait(7, NAME, 10.0) == 30.0


def test_a_restart_knows_what_is_open() -> None:
    made = opened()
    again = Breakers.read(made.stored())
    assert again.wait(6, NAME, 1.0) == 30.0
    assert Breakers.read(None).stored() == {}


@pytest.mark.parametrize(
    ("ending", "shown"),
    [
        (Ending("completed"), True),
        (Ending(category="validation"), True),
        (Ending(category="exit"), False),
        (Ending(category=None), False),
        (Ending(category="timeout"), False),
        (Ending(category="rate_limit"), None),
        (Ending(category="auth"), None),
        (Ending(category="template"), None),
        (Ending(category="resource_limit"), None),
        (Ending("interrupted"), None),
        (Ending("skipped"), None),
    ],
)
def test_what_an_ending_says_of_the_instrument(ending: Ending, shown: bool | None) -> None:
    assert works(ending) is shown
