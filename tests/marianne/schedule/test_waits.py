"""What a job waits for before it may begin."""

from __future__ import annotations

import pytest

from marianne.schedule.waits import (
    LONGEST_SLEEP,
    NOTHING,
    OPTION,
    Found,
    Waits,
    look,
    sleep,
)

BOTH = Waits((("a", False), ("b", True)))


def ends(**known: str) -> dict[str, str]:
    return known


def test_a_job_begins_when_all_that_it_follows_are_over() -> None:
    assert look(BOTH, ends().get, 1.0) == Found(BOTH)
    assert look(BOTH, ends(a="completed").get, 1.0).left == Waits((("b", True),))
    assert look(BOTH, ends(a="completed", b="completed").get, 1.0) == Found(NOTHING)


@pytest.mark.parametrize("end", ["failed", "cancelled", "gone"])
def test_any_end_will_do_only_where_that_was_said(end: str) -> None:
    assert look(BOTH, ends(b=end).get, 1.0).left == Waits((("a", False),))
    assert look(BOTH, ends(a=end).get, 1.0).spoiled == ("a", end)


def test_a_time_is_waited_for_beside_the_jobs() -> None:
    waits = Waits((("a", False),), at=10.0)
    assert look(waits, ends(a="completed").get, 9.0).left == Waits(at=10.0)
    assert look(waits, ends().get, 10.0).left == Waits((("a", False),))
    assert (Waits(at=10.0).reason, waits.reason, NOTHING.reason) == ("at", "after", None)


def test_the_clock_is_looked_at_again_for_it_may_be_set() -> None:
    assert sleep(NOTHING, 1.0) is None
    assert sleep(Waits(at=10.0), 8.0) == 2.0
    assert sleep(Waits(at=10.0), 20.0) == 0.0
    assert sleep(Waits(at=1e6), 0.0) == LONGEST_SLEEP


def test_it_is_kept_in_the_options_and_leaves_no_trace() -> None:
    options = Waits((("a", False),), 5.0).into({"x": 1})
    assert Waits.read(options) == Waits((("a", False),), 5.0)
    assert NOTHING.into(options) == {"x": 1}
    assert Waits.read({}) == NOTHING
    assert OPTION in options
