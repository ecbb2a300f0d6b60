"""Schedules and a wall clock that is set: by a little, and by more than any clock is wrong."""

from __future__ import annotations

from schedule_stage import HOUR, NOON, Schedules

from marianne.state.models import JobStatus

YEARS = 9 * 365 * 24 * HOUR


def test_a_clock_that_is_set_back_by_an_hour_fires_no_slot_again(schedules: Schedules) -> None:
    schedules.insert()
    schedules.look(NOON + HOUR)
    schedules.makes("a", JobStatus.COMPLETED)
    for now in (NOON + HOUR / 2, NOON + HOUR, NOON + 2 * HOUR - 1):
        schedules.look(now)
    assert schedules.wanted() == [1]


def test_slots_that_were_decided_by_a_clock_that_was_years_ahead_are_open_again(
    schedules: Schedules,
) -> None:
    schedules.insert()
    schedules.look(NOON + YEARS)  # a board without a clock of its own, before it was told the time
    schedules.makes("a", JobStatus.COMPLETED)
    wanted = len(schedules.wanted())
    schedules.look(NOON + 30)
    assert schedules.shown["next_slot"].endswith("T13:00:00.000000Z")
    schedules.look(NOON + HOUR - 1)
    assert len(schedules.wanted()) == wanted
    schedules.look(NOON + HOUR + 0.01)
    assert schedules.wanted()[wanted:] == [1]


def test_so_they_are_after_a_restart_and_each_once(schedules: Schedules) -> None:
    schedules.insert(overlap="queue")
    schedules.look(NOON + YEARS)
    schedules.makes("a", JobStatus.COMPLETED)
    schedules.begin()
    wanted = len(schedules.wanted())
    schedules.look(NOON + HOUR - 5)
    schedules.look(NOON + HOUR)
    schedules.makes("b", JobStatus.COMPLETED)
    schedules.begin()
    for now in (NOON + HOUR + 1, NOON + HOUR / 2, NOON + HOUR + 2):
        schedules.look(now)
    assert schedules.wanted()[wanted:] == [1]


def test_one_that_was_added_while_the_clock_was_ahead_fires_by_the_right_one(
    schedules: Schedules,
) -> None:
    schedules.insert()
    schedules.look(NOON - YEARS)  # by this clock it was added years from now
    schedules.look(NOON - YEARS + HOUR)
    assert schedules.wanted() == [1 - YEARS / HOUR]
