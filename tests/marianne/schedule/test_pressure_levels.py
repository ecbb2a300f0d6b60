"""Levels, delays and admission are the documented ones, to the last per cent."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marianne.schedule.pressure import (
    DELAYS,
    Load,
    PressureLevel,
    level_of,
    may_start_sheet,
    takes_jobs,
    with_rate_limits,
)

ORDER = list(PressureLevel)


def load(percent: float | None, *, accepting: bool = True, degraded: bool = False) -> Load:
    memory = None if percent is None else percent * 10
    return Load(memory, 1000, accepting, degraded)


def test_levels_and_delays_are_the_documented_ones() -> None:
    assert {level.value: level.delay for level in PressureLevel} == {
        "none": 0.0,
        "low": 2.0,
        "medium": 10.0,
        "high": 30.0,
        "critical": 60.0,
    }


@pytest.mark.parametrize(
    ("percent", "level"),
    [
        (0, "none"),
        (50, "none"),
        (50.1, "low"),
        (70, "low"),
        (70.1, "medium"),
        (85, "medium"),
        (85.1, "high"),
        (95, "high"),
        (95.1, "critical"),
        (900, "critical"),
    ],
)
def test_a_level_begins_over_its_threshold(percent: float, level: str) -> None:
    assert level_of(load(percent)) == level


@pytest.mark.parametrize(
    "blind",
    [
        load(None),
        load(0, degraded=True),
        load(0, accepting=False),
        Load(math.nan, 1000, True),
    ],
)
def test_what_cannot_be_seen_is_critical(blind: Load) -> None:
    assert level_of(blind) is PressureLevel.CRITICAL
    assert not takes_jobs(blind)


@pytest.mark.parametrize(("percent", "taken"), [(0, True), (85, True), (85.1, False)])
def test_jobs_are_taken_up_to_the_limit(percent: float, taken: bool) -> None:
    assert takes_jobs(load(percent)) is taken


def test_only_critical_stops_grants() -> None:
    assert may_start_sheet(PressureLevel.CRITICAL) == (False, 60.0)
    for level in ORDER[:-1]:
        assert may_start_sheet(level) == (True, DELAYS[level])


@pytest.mark.parametrize("level", PressureLevel)
def test_a_rate_limit_raises_to_high_and_never_lowers(level: PressureLevel) -> None:
    raised = with_rate_limits(level, True)
    assert ORDER.index(raised) == max(ORDER.index(level), ORDER.index(PressureLevel.HIGH))
    assert with_rate_limits(level, False) is level


def test_a_limit_of_zero_divides_nothing() -> None:
    assert level_of(Load(0.4, 0, True)) is PressureLevel.NONE


@settings(deadline=None)
@given(st.floats(0, 5000), st.floats(0, 5000))
def test_more_memory_is_never_less_pressure(one: float, other: float) -> None:
    less, more = sorted((one, other))
    found = [level_of(Load(memory, 1000, True)) for memory in (less, more)]
    assert ORDER.index(found[0]) <= ORDER.index(found[1])
    assert takes_jobs(Load(less, 1000, True)) >= takes_jobs(Load(more, 1000, True))
