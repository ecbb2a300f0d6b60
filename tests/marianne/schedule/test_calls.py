"""Only so many sheets of agents begin within a minute, and nobody else waits for that."""

from __future__ import annotations

from marianne.schedule.calls import CallRate
from marianne.schedule.queue import SheetInfo, SheetQueue


def queue(limit: int | None) -> SheetQueue:
    made = SheetQueue(25)
    made.limit_calls(limit)
    sheets = [SheetInfo("j", n, backend_type="agent") for n in range(1, 6)]
    made.register("j", [*sheets, SheetInfo("j", 9, backend_type="shell")], agents=["agent"])
    return made


def granted(made: SheetQueue, now: float) -> list[int]:
    found = []
    while (entry := made.grant(now)) is not None:
        found.append(entry.info.sheet_num)
    return found


def test_within_a_minute_the_limit_holds_and_then_the_next_begin() -> None:
    made = queue(2)
    assert granted(made, 100.0) == [1, 2, 9]
    assert made.next_unblock() == 160.0
    assert granted(made, 159.0) == []
    assert granted(made, 160.0) == [3, 4]
    assert granted(made, 220.0) == [5]
    assert made.next_unblock() is None


def test_explain_names_the_limit() -> None:
    made = queue(2)
    granted(made, 100.0)
    why = made.explain("j", 3, 101.0)
    assert (why.code, why.data) == ("call_limit", {"limit": 2, "until": 160.0})


def test_without_a_limit_nothing_waits() -> None:
    assert len(granted(queue(None), 0.0)) == 6


def test_the_window_slides_with_each_call() -> None:
    rate = CallRate(2)
    rate.note(0.0)
    rate.note(30.0)
    assert rate.free_at(40.0) == 60.0
    rate.note(61.0)
    assert rate.free_at(61.0) == 90.0


def test_another_limit_counts_at_once() -> None:
    rate = CallRate(3)
    for now in (0.0, 10.0, 20.0):
        rate.note(now)
    rate.limit = 1
    assert rate.free_at(21.0) == 80.0
    rate.limit = 4
    assert rate.free_at(21.0) is None


def test_a_clock_that_is_set_back_keeps_nothing_waiting() -> None:
    rate = CallRate(1)
    rate.note(1000.0)
    assert rate.free_at(10.0) is None
