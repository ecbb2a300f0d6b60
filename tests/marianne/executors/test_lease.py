"""A lease ends on both sides without two clocks being compared, and on the node's side first."""

from __future__ import annotations

import math

import pytest

from marianne.executors.lease import Lease, Tenure, clock


def test_no_lease_is_held_before_the_first_answer() -> None:
    assert Lease(6.0).over(0.0)


def test_it_lasts_its_length_from_when_it_was_asked_for() -> None:
    lease = Lease(6.0)
    lease.extend(100.0)
    assert not lease.over(105.9)
    assert lease.over(106.0)


def test_an_answer_that_was_held_up_extends_nothing() -> None:
    lease = Lease(6.0)
    lease.extend(100.0)
    lease.extend(98.0)
    assert lease.until == 106.0
    lease.extend(90.0)
    assert lease.over(106.0)


def test_a_tenure_begins_when_the_connection_is_lost_and_ends_when_it_is_found() -> None:
    tenure = Tenure(lease=6.0, grace=10.0)
    assert tenure.left(1e9) == math.inf
    tenure.lost(100.0)
    tenure.lost(110.0)
    assert not tenure.over(117.9)
    assert tenure.over(118.0)
    tenure.found()
    assert not tenure.over(1e9)


@pytest.mark.parametrize("lease", [1.0, 6.0, 60.0, 3_600.0])
@pytest.mark.parametrize("grace", [0.0, 0.5, 10.0])
@pytest.mark.parametrize("delay", [0.0, 0.5, 5.0])
def test_the_node_has_ended_all_before_the_other_side_believes_it(
    lease: float, grace: float, delay: float
) -> None:
    """Asked at 0, answered at ``delay``, lost at once: the node's last answer may not arrive."""
    node, other = Lease(lease), Tenure(lease, grace)
    node.extend(0.0)
    other.lost(delay)
    assert node.until + grace < delay + other.left(delay)


def test_the_clock_goes_forward() -> None:
    assert clock() <= clock()
