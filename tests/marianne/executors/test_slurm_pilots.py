"""How many pilots there are, and which go."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marianne.executors.slurm.pilots import (
    RUNNING,
    Need,
    Pilot,
    Size,
    decide,
    in_minutes,
    note_idle,
    seconds_left,
)

SIZE = Size(most=3, slots=4, seconds=3600.0, idle=60.0)


def running(number: str, left: float = 3000.0) -> Pilot:
    return Pilot(number, RUNNING, "n1", left)


def waiting(number: str) -> Pilot:
    return Pilot(number, "PENDING", reason="Priority")


@pytest.mark.parametrize(
    ("ready", "there", "submit"),
    [
        (0, [], 0),
        (1, [], 1),
        (4, [], 1),
        (5, [], 2),
        (1000, [], 3),
        (5, [waiting("1")], 1),
        (5, [running("1")], 2),
        (1000, [running("1"), running("2")], 1),
        (1000, [running("1"), running("2"), waiting("3")], 0),
        (4, [waiting("1")], 0),
    ],
)
def test_as_many_are_submitted_as_sheets_have_use_for(
    ready: int, there: list[Pilot], submit: int
) -> None:
    found = decide(there, Need(waiting=ready), SIZE, {}, 0.0)
    assert (found.submit, found.cancel) == (submit, [])


def test_one_that_has_just_begun_and_is_not_reached_yet_is_one_that_will_have_room() -> None:
    there = [running("1"), waiting("2")]
    assert decide(there, Need(waiting=8), SIZE, {}, 0.0, coming=["n1-1"]).submit == 0
    assert decide(there, Need(waiting=9), SIZE, {}, 0.0, coming=["n1-1"]).submit == 1
    gone = decide(there, Need(waiting=8), SIZE, {}, 0.0, silent=["n1-1"], coming=["n1-1"])
    assert gone.submit == 1


def test_of_those_that_wait_the_last_go_when_nobody_has_use_for_them() -> None:
    there = [waiting("1"), waiting("2"), waiting("3")]
    assert decide(there, Need(waiting=4), SIZE, {}, 0.0).cancel == ["2", "3"]
    assert decide(there, Need(), SIZE, {}, 0.0).cancel == ["1", "2", "3"]


def test_an_idle_one_is_closed_first_and_given_back_when_it_surely_gets_nothing() -> None:
    pilot, since = running("7"), {"n1-7": 100.0}
    assert decide([pilot], Need(), SIZE, since, 159.0).closed == {}
    found = decide([pilot], Need(), SIZE, since, 160.0)
    assert (list(found.closed), found.cancel) == (["n1-7"], [])
    found = decide([pilot], Need(resting=frozenset({"n1-7"})), SIZE, since, 161.0)
    assert found.cancel == ["7"]


def test_an_idle_one_is_kept_while_sheets_wait() -> None:
    found = decide([running("7")], Need(waiting=1), SIZE, {"n1-7": 0.0}, 1000.0)
    assert found.closed == {}


def test_one_whose_time_is_nearly_up_gets_no_more_and_another_comes() -> None:
    there = [running("1", left=359.0), running("2"), running("3")]
    found = decide(there, Need(waiting=9), SIZE, {}, 0.0)
    assert (list(found.closed), found.submit) == (["n1-1"], 1)
    long = Size(most=3, slots=4, seconds=86_400.0, idle=60.0)
    assert decide([running("1", left=601.0)], Need(), long, {}, 0.0).closed == {}


def test_since_when_a_node_is_idle() -> None:
    since: dict[str, float] = {}
    note_idle(since, ["a", "b"], ["b"], 1.0)
    note_idle(since, ["a", "b"], ["b"], 2.0)
    assert since == {"a": 1.0}
    note_idle(since, ["a", "b"], ["a"], 3.0)
    assert since == {"b": 3.0}
    note_idle(since, ["a"], [], 4.0)
    assert since == {"a": 4.0}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5:07", 307),
        ("1:00:00", 3600),
        ("2-03:00:01", 183601),
        ("UNLIMITED", math.inf),
        ("NOT_SET", math.inf),
        ("0:00", 0),
    ],
)
def test_time_left_is_read_as_slurm_writes_it(text: str, seconds: float) -> None:
    assert seconds_left(text) == seconds


@pytest.mark.parametrize(("seconds", "minutes"), [(1.0, "1"), (60.0, "1"), (61.0, "2")])
def test_a_time_limit_is_rounded_up_to_minutes(seconds: float, minutes: str) -> None:
    assert in_minutes(seconds) == minutes


pilots = st.lists(
    st.builds(
        Pilot,
        st.uuids().map(str),
        st.sampled_from((RUNNING, "PENDING", "CONFIGURING", "COMPLETING", "SUSPENDED")),
        st.just("n1"),
        st.floats(0, 4000),
    ),
    max_size=6,
)


@settings(deadline=None)  # a busy machine may do any of it late
@given(pilots, st.integers(0, 100), st.booleans(), st.floats(0, 1000))
def test_never_more_than_the_limit_and_never_one_that_may_have_something_to_do(
    there: list[Pilot], ready: int, rest: bool, now: float
) -> None:
    nodes = frozenset(pilot.node for pilot in there)
    since = dict.fromkeys(nodes, 0.0)
    found = decide(there, Need(ready, resting=nodes if rest else frozenset()), SIZE, since, now)
    lives = [p for p in there if p.state in (RUNNING, "PENDING", "CONFIGURING")]
    open_ = [p for p in lives if p.node not in found.closed]
    if found.submit:
        assert len(open_) + found.submit <= SIZE.most
    gone = [p for p in there if p.number in found.cancel]
    assert all(p.state != RUNNING or (rest and p.node in found.closed) for p in gone)


def test_one_that_is_not_reached_any_more_is_given_up_at_once_and_another_comes() -> None:
    there = [running("1"), running("2"), running("3")]
    found = decide(there, Need(waiting=4), SIZE, {}, 0.0, silent=["n1-2"])
    assert (list(found.closed), found.cancel, found.submit) == (["n1-2"], ["2"], 1)
