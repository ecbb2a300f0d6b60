"""Which instants a cron expression means: summer time, what is none, many slots at once."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from marianne.schedule import cron
from marianne.schedule.cron import CronProblem, check, newest, next_after

PARIS = "Europe/Paris"


def at(text: str, zone: str = PARIS) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def slots(expression: str, after: str, until: str, zone: str = PARIS) -> list[str]:
    """The slots by the clocks of the zone, found one by one as the conductor does."""
    moment, found = at(after, zone), []
    while (slot := next_after(expression, zone, moment)) is not None and slot <= at(until, zone):
        moment = slot
        found.append(datetime.fromtimestamp(slot, ZoneInfo(zone)).strftime("%d %H:%M %z"))
    return found


# In Paris the clocks go from 02:00 to 03:00 on 2026-03-29, from 03:00 back to 02:00 on 2026-10-25.


def test_a_time_of_day_in_the_missing_hour_comes_once_right_after_it() -> None:
    found = slots("30 2 * * *", "2026-03-28T00:00", "2026-03-30T12:00")
    assert found == ["28 02:30 +0100", "29 03:00 +0200", "30 02:30 +0200"]


def test_times_that_fall_together_after_the_missing_hour_are_one_slot() -> None:
    found = slots("0,30 2,3 * * *", "2026-03-29T00:00", "2026-03-29T12:00")
    assert found == ["29 03:00 +0200", "29 03:30 +0200"]


def test_a_time_of_day_in_the_doubled_hour_comes_once_the_first_time() -> None:
    found = slots("30 2 * * *", "2026-10-24T00:00", "2026-10-26T12:00")
    assert found == ["24 02:30 +0200", "25 02:30 +0200", "26 02:30 +0100"]


@pytest.mark.parametrize("minute", ["00", "29", "31", "59"])
def test_it_comes_once_from_wherever_in_the_doubled_hour_one_looks(minute: str) -> None:
    first = at(f"2026-10-25T02:{minute}")
    coming = [next_after("30 2 * * *", PARIS, first + pass_) for pass_ in (0.0, 3_600.0)]
    today = at("2026-10-25T02:30")
    assert coming == [today if minute < "30" else at("2026-10-26T02:30"), at("2026-10-26T02:30")]


def test_what_goes_by_the_time_that_passes_comes_in_both_hours() -> None:
    assert slots("*/30 * * * *", "2026-10-25T01:40", "2026-10-25T03:10") == [
        "25 02:00 +0200",
        "25 02:30 +0200",
        "25 02:00 +0100",
        "25 02:30 +0100",
        "25 03:00 +0100",
    ]
    assert slots("0 * * * *", "2026-03-29T00:30", "2026-03-29T04:10") == [
        "29 01:00 +0100",
        "29 03:00 +0200",
        "29 04:00 +0200",
    ]


@pytest.mark.parametrize(
    ("expression", "after", "next_slot"),
    [
        ("@daily", "2026-11-27T10:00", "2026-11-28T00:00"),
        ("@Hourly", "2026-11-27T10:00", "2026-11-27T11:00"),
        ("0 9 * * MON-FRI", "2026-11-27T09:00", "2026-11-30T09:00"),
        ("0 0 L * *", "2026-11-27T10:00", "2026-11-30T00:00"),
        ("0 0 29 2 *", "2026-11-27T10:00", "2028-02-29T00:00"),
        ("*/20 * * * * *", "2026-11-27T10:00:05", "2026-11-27T10:00:20"),
    ],
)
def test_ordinary_expressions(expression: str, after: str, next_slot: str) -> None:
    assert next_after(expression, PARIS, at(after)) == at(next_slot)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("61 * * * *", "the minute is '61': expected is 0 to 59"),
        ("* 24 * * *", "the hour is '24': expected is 0 to 23"),
        ("* * 0 * *", "the day-of-month is '0': expected is 1 to 31"),
        ("* * * FOO *", "the month is 'FOO': expected is 1 to 12 or JAN to DEC"),
        ("* * * * 8", "the day-of-week is '8': expected is 0 to 7"),
        ("60 * * * * *", "the second is '60': expected is 0 to 59"),
        ("*/0 * * * *", "the minute is '*/0'"),
        ("* * *", "five fields (minute hour day-of-month month day-of-week)"),
        ("", "has 0"),
        ("0 0 30 2 *", "no month of '2' has the day '30'"),
        ("* * */20 * 1L", "comes on no day"),
        ("@reboot", "'@reboot' is no name of a time: @yearly"),
        ("9" * 5_000 + " * * * *", "at most 200 characters"),
    ],
)
def test_what_is_no_expression_names_its_field_and_what_is_expected(
    expression: str, words: str
) -> None:
    with pytest.raises(CronProblem) as raised:
        check(expression, PARIS)
    assert words in str(raised.value)


@pytest.mark.parametrize("zone", ["Europe/Pariz", "", "../etc/passwd", "/etc/passwd", "Europe"])
def test_a_zone_that_is_none_says_what_is_expected(zone: str) -> None:
    with pytest.raises(CronProblem, match=r"no time zone .* such as Europe/Paris or UTC"):
        check("* * * * *", zone)


@settings(deadline=None)
@given(st.text(alphabet="0123456789*/,-LW# @abcMON²\0", max_size=40))
@example("0 0 5L/2 * 5L/2")
def test_any_text_is_an_expression_or_a_problem(text: str) -> None:
    try:
        check(text, "UTC")
    except CronProblem:
        return
    assert next_after(text, "UTC", 0.0) is not None


FIELD = st.sampled_from(["*", "*/7", "*/20", "0", "30", "5,35", "0-10"])
HOUR = st.sampled_from(["*", "*/2", "2", "1,2,3", "0-4"])
CHANGES = [1_774_746_000, 1_792_890_000]  # of summer time in Paris


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([PARIS, "America/New_York", "UTC"]),
    FIELD,
    HOUR,
    st.sampled_from(CHANGES),
    st.integers(-90_000, 90_000),
    st.sampled_from([600, 7_200, 90_000]),
    st.integers(1, 20),
)
def test_of_many_slots_the_newest_are_those_that_come_one_by_one(
    zone: str, minute: str, hour: str, change: int, off: int, span: int, most: int
) -> None:
    expression, until = f"{minute} {hour} * * *", float(change + off)
    walked, moment = [], until - span
    while (slot := next_after(expression, zone, moment)) is not None and slot <= until:
        walked.append(slot)
        moment = slot
    assert newest(expression, zone, until - span, until, most) == (
        walked[-most:],
        len(walked) > most,
    )


def test_a_year_of_seconds_is_not_walked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    walked = []
    walk = cron._walk
    monkeypatch.setattr(
        cron, "_walk", lambda *args: (walked.append(slot) or slot for slot in walk(*args))
    )
    now = at("2026-11-27T10:00")
    found, more = newest("* * * * * *", "UTC", now - 366 * 86_400, now, 100)
    assert (found, more) == ([now - 99 + n for n in range(100)], True)
    assert len(walked) < 200


def test_the_first_slots_of_a_walk_are_those_of_next_after() -> None:
    moment, walked = 0.0, list(islice(cron._walk("0 12 * * *", PARIS, 0.0), 3))
    for slot in walked:
        assert (moment := next_after("0 12 * * *", PARIS, moment) or 0.0) == slot
