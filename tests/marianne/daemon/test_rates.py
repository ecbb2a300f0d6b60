"""Rate limits: in force at once, seen when they are on disk, over restarts and set clocks."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from handler_stage import Desk, services_desk, told

from actors import Future, Handle
from ipc import codec
from marianne.clock import steady
from marianne.daemon.services.rates import LONGEST_WAIT, META, RatesActor
from marianne.daemon.shared.idempotency import reply_row
from marianne.state.changes import SetMeta
from marianne.state.errors import StoreFull


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with services_desk(tmp_path) as desk:
        yield desk


def rates(desk: Desk) -> Handle[RatesActor]:
    desk.system.spawn(RatesActor, desk.context, name="rates")
    return desk.system.handle(RatesActor, "rates")


def in_force(desk: Desk) -> dict[str, int]:
    limits = desk.system.handle(RatesActor, "rates").ask(RatesActor.active_limits)
    return {key: round(left) for key, left in limits.items()}


def test_a_limit_blocks_its_sheets_is_published_and_kept(desk: Desk) -> None:
    rates(desk).ask(RatesActor.report, "claude/opus", 60.0, "a", 1)
    assert in_force(desk) == {"claude/opus": 60}
    ((_, key, until_then),) = told(desk, "scheduler")
    assert (key, round(until_then - steady())) == ("claude/opus", 60)
    ((_, (kept,)),) = told(desk, "store")
    until, length = codec.unpack(kept.value)["claude/opus"]
    assert (round(until - time.time()), length) == (60, 60.0)


def test_a_limit_that_people_see_is_on_disk(desk: Desk) -> None:
    seen = []
    desk.post.answer = lambda *args: seen.append(dict(desk.context.rate_limits.until))
    rates(desk).ask(RatesActor.report, "claude", 60.0, "a", 1)
    assert seen[-1] == {}
    assert told(desk, "scheduler"), "nothing of it begins meanwhile"
    assert in_force(desk) == {"claude": 60}


class Slow:
    """A store that commits when the test says so, in order."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._under_way = desk, deque[Future[Any]]()

    def within(self, _seconds: float | None) -> Slow:
        return self

    def call(self, *_message: Any, **_named: Any) -> Future[Any]:
        self._under_way.append(Future(self._desk.system, "store", None, None))
        return self._under_way[-1]

    def commit(self) -> set[str]:
        """Commits the oldest; what people see then."""
        self._under_way.popleft().answer([])
        limits = self._desk.system.handle(RatesActor, "rates").ask(RatesActor.active_limits)
        return set(limits)


def test_of_limits_that_come_one_after_the_other_each_is_seen_when_it_is_on_disk(
    desk: Desk,
) -> None:
    slow = desk.context.store = Slow(desk)
    actor = rates(desk)
    for key in ("claude", "codex"):
        actor.ask(RatesActor.report, key, 60.0, "a")
    assert slow.commit() == {"claude"}
    assert slow.commit() == {"claude", "codex"}


def test_what_was_cleared_before_it_was_on_disk_is_not_seen_at_all(desk: Desk) -> None:
    slow = desk.context.store = Slow(desk)
    actor = rates(desk)
    for key in ("claude", "codex"):
        actor.ask(RatesActor.report, key, 60.0, "a")
    cleared = actor.call(RatesActor.clear_limits, "claude")
    assert (slow.commit(), slow.commit()) == (set(), {"codex"})
    assert not cleared.done
    assert slow.commit() == {"codex"}
    assert cleared.get(1.0)["keys"] == ["claude"]


def test_a_limit_that_is_not_on_disk_yet_can_be_cleared(desk: Desk) -> None:
    actor = rates(desk)
    actor.ask(RatesActor.report, "claude", 60.0, "a")
    desk.context.rate_limits.until = {}
    assert actor.ask(RatesActor.clear_limits)["keys"] == ["claude"]
    assert in_force(desk) == {}


def test_a_later_report_never_shortens_a_limit(desk: Desk) -> None:
    actor = rates(desk)
    for wait in (60.0, 5.0, 90.0):
        actor.ask(RatesActor.report, "claude", wait, "a")
    assert in_force(desk) == {"claude": 90}


@pytest.mark.parametrize(
    ("wait", "left"), [(1e9, LONGEST_WAIT), (math.inf, None), (math.nan, None), (-5.0, None)]
)
def test_what_an_instrument_says_of_its_wait_is_bounded(
    desk: Desk, wait: float, left: float | None
) -> None:
    rates(desk).ask(RatesActor.report, "claude", wait, "a")
    assert in_force(desk) == ({} if left is None else {"claude": left})


def test_a_restart_finds_the_limits_in_force_however_the_clock_was_set(desk: Desk) -> None:
    now = time.time()
    kept = {"soon": (now + 30, 60), "over": (now - 1, 60), "clock was set back": (now + 9e9, 1e9)}
    desk.write(SetMeta(META, codec.pack(kept)))
    desk.context.rate_limits.until = {"published": steady() + 10}
    rates(desk)
    assert in_force(desk) == {"soon": 30, "clock was set back": LONGEST_WAIT, "published": 10}
    assert {message[1] for message in told(desk, "scheduler")} == set(in_force(desk))


def test_a_restart_waits_for_no_longer_than_the_limit_was(desk: Desk) -> None:
    rates(desk).ask(RatesActor.report, "claude", 5.0, "a")
    ((_, (kept,)),) = told(desk, "store")
    desk.system.stop(desk.system.handle(RatesActor, "rates"))
    until, length = codec.unpack(kept.value)["claude"]
    desk.write(SetMeta(META, codec.pack({"claude": (until + 3600.0, length)})))
    desk.context.rate_limits.until = {}
    rates(desk)
    assert in_force(desk) == {"claude": 5}, "the clock was set back by an hour"


def test_a_restart_reads_the_limits_of_a_version_that_kept_no_length(desk: Desk) -> None:
    desk.write(SetMeta(META, codec.pack({"claude": time.time() + 30.0})))
    rates(desk)
    assert in_force(desk) == {"claude": 30}


def test_clearing_an_instrument_clears_all_its_models_and_no_other(desk: Desk) -> None:
    actor = rates(desk)
    for key in ("claude", "claude/opus", "claude-code", "codex"):
        actor.ask(RatesActor.report, key, 60.0, "a")
    desk.post.asked.clear()
    cleared = actor.ask(RatesActor.clear_limits, "claude", "request")
    assert cleared == {"cleared": 2, "instrument": "claude", "keys": ["claude", "claude/opus"]}
    assert set(in_force(desk)) == {"claude-code", "codex"}
    assert told(desk, "scheduler") == [("lift", "claude")]
    ((_, (_, reply), kept),) = told(desk, "store")
    assert kept == ("kept", False), "who asks does not wait for a disk that is full"
    assert codec.unpack(reply.reply) == cleared


def test_a_clear_also_wakes_what_waits_though_no_limit_is_in_force(desk: Desk) -> None:
    """A score may have its sheets wait for longer than any limit is kept."""
    assert rates(desk).ask(RatesActor.clear_limits)["cleared"] == 0
    assert told(desk, "scheduler") == [("lift", None)]


def test_a_clear_that_was_answered_before_gets_that_answer(desk: Desk) -> None:
    desk.write(reply_row("request", {"cleared": 7}))
    actor = rates(desk)
    assert actor.ask(RatesActor.clear_limits, None, "request") == {"cleared": 7}
    assert told(desk, "store") == []


def test_a_clear_that_is_not_on_disk_is_not_acknowledged(desk: Desk) -> None:
    desk.post.answer = lambda *args: (_ for _ in ()).throw(StoreFull("the disk is full"))
    with pytest.raises(StoreFull):
        rates(desk).ask(RatesActor.clear_limits)
