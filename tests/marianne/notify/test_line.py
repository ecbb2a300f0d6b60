"""Who is told next: what waits for what, and who is never held up by it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from marianne.notify import line as module
from marianne.notify.line import AT_ONCE, TO_ONE_ADDRESS, Line, due
from marianne.notify.notice import (
    Notice,
    address_of,
    body_of,
    line,
    needs_me,
    title_and_text,
    wants,
)
from marianne.notify.quiet import seconds_left
from marianne.state.models import Event, JobRow, JobStatus

NOON = time.mktime((2026, 6, 15, 12, 0, 0, 0, 0, -1))


def notice(
    seq: int = 1, event: str = "sheet.completed", reason: str | None = None, **config: Any
) -> Notice:
    row = JobRow("a", "a", JobStatus.RUNNING, "/w", 1.0, 1, reason=reason)
    receiver = {"type": "command", "on_events": [], "config": {"command": "x", **config}}
    address = address_of(receiver)
    return Notice(Event(seq, 0, NOON, "a", 1, event, {}), row, 1, receiver, address)


def timed(one: Notice, now: float, wall: float = NOON) -> Notice:
    return replace(one, due=due(one, now, wall))


def test_one_that_waits_for_nothing_goes_alone_and_at_once() -> None:
    waiting = Line()
    waiting.add([timed(notice(1), 0.0), timed(notice(2), 0.0)])
    assert [one.event.seq for one in waiting.take(0.0)] == [1]
    assert [one.event.seq for one in waiting.take(0.0)] == [2]
    assert waiting.take(0.0) == []


def test_five_retries_are_one_notice() -> None:
    waiting = Line()
    waiting.add([timed(notice(n, "sheet.retrying"), 0.0) for n in range(5)])
    assert waiting.take(0.0) == []
    assert waiting.next_look(0.0) == 60.0
    taken = waiting.take(60.0)
    assert len(taken) == 5
    told = body_of(taken)
    assert (told["event"], told["count"], told["id"]) == ("digest", 5, "0-4")
    assert title_and_text(taken) == ("a: 5 notices", "a: 5 x sheet retry")
    assert waiting.next_look(60.0) is None


def test_a_digest_of_none_is_each_retry_for_itself() -> None:
    assert due(notice(1, "sheet.retrying", digest=0.0), 5.0, NOON) == 5.0


@pytest.mark.parametrize(
    ("event", "reason", "waits"),
    [
        ("job.failed", None, True),
        ("job.paused", "cost", True),
        ("job.paused", "crashes", True),
        ("job.paused", "person", False),
        ("job.paused", "pressure", False),
        ("job.completed", None, False),
    ],
)
def test_what_needs_me_is_told_at_once_also_at_night(
    event: str, reason: str | None, waits: bool
) -> None:
    assert needs_me(event, reason) is waits
    one = notice(1, event, reason, digest=60.0, quiet="00:00-23:59")
    assert (due(one, 0.0, NOON) == 0.0) is waits
    asked = {"on_events": ["needs_me"]}
    assert wants(asked, event, reason) is waits


def test_an_urgent_one_takes_nobody_along() -> None:
    waiting = Line()
    gathered = timed(notice(1, digest=60.0), 0.0)
    waiting.add([gathered, timed(notice(2, "job.failed", digest=60.0), 0.0)])
    assert [one.event.seq for one in waiting.take(0.0)] == [2]
    assert waiting.waiting == [gathered]


def test_what_comes_in_quiet_hours_is_told_together_when_they_end() -> None:
    waiting = Line()
    night = NOON + 11 * 3600  # 23:00
    for n in range(3):
        waiting.add([timed(notice(n, quiet="22:00-07:00"), float(n), night + n)])
    assert waiting.take(3.0) == []
    assert round(waiting.next_look(0.0) or 0) == 8 * 3600
    assert len(waiting.take(8 * 3600 + 1.0)) == 3


@pytest.mark.parametrize(
    ("text", "hour", "left"),
    [
        ("22:00-07:00", 21.5, 0.0),
        ("22:00-07:00", 22, 9 * 3600),
        ("22:00-07:00", 6.5, 1800),
        ("22:00-07:00", 7, 0.0),
        ("9:00 - 17:30", 12, 5.5 * 3600),
        ("nonsense", 12, 0.0),
        ("12:00-12:00", 12, 0.0),
    ],
)
def test_quiet_hours_are_those_of_the_clock_on_the_wall(
    text: str, hour: float, left: float
) -> None:
    assert seconds_left(text, NOON + (hour - 12) * 3600) == left


def test_a_clock_that_was_set_makes_nobody_wait_longer_than_the_digest() -> None:
    assert due(notice(1, digest=60.0), 0.0, NOON - 86_400) == 60.0
    assert due(notice(1, digest=60.0), 0.0, NOON + 86_400) == 0.0


def test_an_address_that_is_busy_or_not_reached_holds_up_its_own_notices_alone() -> None:
    waiting = Line()
    waiting.add([timed(notice(n), 0.0) for n in range(4)])
    waiting.add([timed(notice(9, command="other"), 0.0)])
    taken = [waiting.take(0.0) for _ in range(4)]
    assert [some[0].event.seq for some in taken if some] == [0, 1, 9]
    assert TO_ONE_ADDRESS == 2
    waiting.ended(taken[0])
    tried = waiting.missed(taken[0], 0.0)
    assert [(one.event.seq, one.tries) for one in tried] == [(0, 1), (2, 1), (3, 1)]
    assert waiting.take(0.0) == []
    first = waiting.next_look(0.0) or 0.0
    again = waiting.take(first)
    assert again[0].event.seq == 0
    waiting.ended(again)
    waiting.missed(again, first)
    assert (waiting.next_look(first) or 0.0) > first, "later and later"
    waiting.reached(taken[0][0].address)
    assert waiting.take(first)[0].event.seq == 0, "at once"


def test_so_many_are_under_way_at_once_and_no_more() -> None:
    waiting = Line()
    waiting.add([timed(notice(n, command=str(n)), 0.0) for n in range(AT_ONCE + 3)])
    assert sum(bool(waiting.take(0.0)) for _ in range(AT_ONCE + 3)) == AT_ONCE


def test_of_too_many_the_oldest_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 2)
    waiting = Line()
    waiting.add([timed(notice(n), 0.0) for n in range(5)])
    assert [one.event.seq for one in waiting.drop()] == [0, 1, 2]
    assert waiting.drop() == []


def test_a_person_is_told_in_a_line() -> None:
    assert line([notice(1)]) == "a: sheet complete - sheet 1"
