"""The services, each alone: rate limits, what is learned, events, the spare, orders to stop."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from admission_stage import until
from handler_stage import Desk, desk_in

from actors import Future, Handle
from ipc import codec
from marianne.clock import steady
from marianne.daemon.config import DaemonConfig
from marianne.daemon.pgroup import ProcessGroupManager
from marianne.daemon.services.events import NOTICED, Events
from marianne.daemon.services.learning import ATTEMPTS_READ, LearningActor
from marianne.daemon.services.learning import META as BUDGET
from marianne.daemon.services.rates import LONGEST_WAIT, META, RatesActor
from marianne.daemon.services.stopping import drain_limit, keep_order
from marianne.daemon.shared.idempotency import reply_row
from marianne.daemon.shared.rate_limits import RateLimitCoordinator
from marianne.daemon.worker.fleet import Fleet
from marianne.daemon.worker.spare_keeper import SpareKeeper
from marianne.learning.diversity import CEILING
from marianne.learning.hub import LearningHub
from marianne.model.result import AttemptResult
from marianne.run import stop_order
from marianne.score.models import Notification
from marianne.state.changes import AddAttempt, AddOutcome, SetMeta, UpdateJob
from marianne.state.errors import StoreFull
from marianne.state.models import Event, JobStatus, OutcomeRow


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as desk:
        desk.context.scheduler = desk.post.handle("scheduler")
        desk.context.rate_limits = RateLimitCoordinator()
        desk.context.config = DaemonConfig()
        desk.context.heart_pid = None
        yield desk


def told(desk: Desk, name: str) -> list[tuple[Any, ...]]:
    return [asked[1:] for asked in desk.post.asked if asked[0] == name]


# -- rate limits --------------------------------------------------------------------------------


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


# -- learning -----------------------------------------------------------------------------------


class School:
    """A job that ended, and who learns from it."""

    def __init__(self, desk: Desk, **settings: Any) -> None:
        self.desk, context = desk, desk.context
        context.learned = LearningHub()
        context.resources = SimpleNamespace(peak_by_job={"a": 50.0})
        if settings:
            context.config = DaemonConfig.model_validate({"learning": settings})
        self.actor: Any = LearningActor(context)
        self.actor.on_start()

    def end(self, status: JobStatus = JobStatus.COMPLETED) -> list[Any]:
        self.desk.insert("a", status=status)
        fields = {"config_hash": "hash", "started_at": 10.0, "finished_at": 20.0}
        result = AttemptResult(1, 1, "completed", 10.0, 20.0, peak_memory_mb=40.0, cpu_seconds=3.0)
        if status is JobStatus.FAILED:
            result = AttemptResult(1, 1, "failed", 10.0, 20.0, category="exit", peak_memory_mb=40.0)
        self.desk.write(UpdateJob("a", fields), AddAttempt("a", result))
        self.actor.job_ended("a")
        self.actor.on_stop(None)
        return [change for message in told(self.desk, "store") for change in message[1]]


def test_the_end_of_a_job_is_an_outcome_of_its_configuration(desk: Desk) -> None:
    school = School(desk)
    (outcome,) = [c.row for c in school.end() if isinstance(c, AddOutcome)]
    assert (outcome.config_hash, outcome.job_id, outcome.category) == ("hash", "a", None)
    assert outcome.peak_memory_mb >= 40.0
    assert desk.context.learned.lessons("hash").outcomes == (outcome,)
    assert desk.context.resources.peak_by_job == {}
    assert ATTEMPTS_READ > 0


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"enabled": False}, JobStatus.COMPLETED),
        ({"analyze_on": ["failure"]}, JobStatus.COMPLETED),
        ({"analyze_on": ["success"]}, JobStatus.FAILED),
        ({}, JobStatus.CANCELLED),
    ],
)
def test_nothing_is_learned_that_is_not_to_be(
    desk: Desk, settings: dict[str, Any], status: JobStatus
) -> None:
    assert School(desk, **settings).end(status) == []


def test_an_end_is_learned_from_once_though_its_hooks_are_left_to_the_next_conductor(
    desk: Desk,
) -> None:
    desk.write(AddOutcome(OutcomeRow("hash", "a", 20.0, 50.0, 3.0, 10.0)))
    assert School(desk).end() == []
    assert len(desk.context.learned.lessons("hash").outcomes) == 1


def test_a_restart_knows_what_was_learned_and_how_much_to_explore(desk: Desk) -> None:
    outcome = OutcomeRow("hash", "old", 1.0, 10.0, 1.0, 2.0)
    desk.write(AddOutcome(outcome), SetMeta(BUDGET, codec.pack(9.0)))
    school = School(desk)
    assert desk.context.learned.lessons("hash").outcomes == (outcome,)
    assert desk.context.learned.budget == CEILING
    school.actor.on_stop(None)


def test_a_budget_that_a_check_changes_is_kept(desk: Desk) -> None:
    school = School(desk)
    desk.context.learned.budget = 0.4
    found = school.actor.check_diversity()
    ((_, (kept,), *_),) = told(desk, "store")
    assert kept.name == BUDGET
    assert round(codec.unpack(kept.value), 3) == found["exploration_budget"]
    school.actor.on_stop(None)


# -- events -------------------------------------------------------------------------------------


def test_every_event_that_a_person_can_ask_for_happens_by_a_name_of_ours() -> None:
    # Of the values of a Literal within a list.
    (names,) = Notification.model_fields["on_events"].annotation.__args__  # type: ignore[union-attr]
    assert set(NOTICED.values()) == set(names.__args__)


def test_the_last_number_is_said_again_once_it_is_quiet() -> None:
    said: list[Any] = []
    later: list[Any] = []

    class Quiet(Events):
        def send_after(self, seconds: float, method: Any, *args: Any) -> Any:
            later.append((method, args))
            return method

    events: Any = Quiet(SimpleNamespace())  # type: ignore[arg-type]
    events._publisher = SimpleNamespace(
        publish_batch=lambda batch: said.extend(topic for topic, _ in batch),
        publish=lambda topic, body: said.append((topic, body["seq"])),
    )
    events.publish([Event(1, 0, 1.0, "a", None, "job.started", {})])
    events.publish([Event(2, 0, 1.0, None, None, "daemon.started", {})])
    assert said == ["job.a.job.started", "daemon.started"]
    assert len(later) == 1, "one timer, however many events"
    method, args = later.pop()
    method(*args)
    assert said[2:] == [], "something came since: another quiet second"
    method, args = later.pop()
    method(*args)
    assert said[2:] == [("daemon.tick", 2)]
    assert later == [], "nothing ticks at rest"


# -- the spare ----------------------------------------------------------------------------------


class Kept:
    """A keeper whose starts are answered when a test says so."""

    def __init__(self, desk: Desk, monkeypatch: pytest.MonkeyPatch, client: Any = None) -> None:
        self.starts: list[Any] = []
        self.ended = threading.Event()
        context = desk.context
        context.client = client
        self.fleet = Fleet(desk.system, ProcessGroupManager())
        monkeypatch.setattr("marianne.daemon.worker.spare_keeper.start_one", self._start)
        monkeypatch.setattr("marianne.daemon.worker.spare_keeper.FIRST_FILL", 0.001)
        self._system = desk.system
        desk.system.spawn(SpareKeeper, context, self.fleet, name="spare")
        self.keeper = desk.system.handle(SpareKeeper, "spare")

    def _start(self, context: Any, fleet: Fleet, asker: str) -> Any:
        future: Future[Any] = Future(self._system, asker, None, None)
        self.starts.append(future)
        return future

    def worker(self) -> Any:
        process = SimpleNamespace(alive=lambda: True)
        return SimpleNamespace(process=process, dismiss=self.ended.set)


def test_one_is_started_at_a_time_and_none_while_one_waits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept(desk, monkeypatch)
    until(lambda: kept.starts)
    kept.keeper.ask(SpareKeeper.fill)
    assert len(kept.starts) == 1
    worker = kept.worker()
    kept.starts[0].answer(worker)
    until(lambda: not kept.fleet.spare.wanted)
    kept.keeper.ask(SpareKeeper.fill)
    assert len(kept.starts) == 1
    assert kept.fleet.spare.take() is worker
    kept.keeper.ask(SpareKeeper.taken)
    until(lambda: len(kept.starts) == 2)


def test_a_spare_that_cannot_be_started_is_tried_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept(desk, monkeypatch)
    until(lambda: kept.starts)
    kept.starts[0].refuse(OSError("no process"))
    until(lambda: len(kept.starts) == 2)


def test_a_private_conductor_keeps_no_spare(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(desk, monkeypatch, client=(1, 1))
    kept.keeper.ask(SpareKeeper.fill)
    assert kept.starts == []


# -- orders to stop -----------------------------------------------------------------------------


def test_an_order_is_on_disk_with_the_end_of_its_drain(desk: Desk) -> None:
    assert keep_order(desk.context, "drain", 30.0)
    order = stop_order.read(desk.home.path)
    assert order is not None
    assert order.mode == "drain"
    assert order.until is not None
    assert 25 < order.until - time.monotonic() <= 30
    assert keep_order(desk.context, "cancel", None)
    order = stop_order.read(desk.home.path)
    assert order is not None
    assert (order.mode, order.until) == ("cancel", None)


def test_a_drain_without_a_time_has_the_configured_one(desk: Desk) -> None:
    assert drain_limit(desk.context, None) == desk.context.config.shutdown_timeout_seconds
    assert drain_limit(desk.context, 0.0) == 0.0


def test_an_order_that_the_disk_does_not_take_is_told_as_not_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stop_order, "leave", full)
    assert keep_order(desk.context, "stop", None) is False
