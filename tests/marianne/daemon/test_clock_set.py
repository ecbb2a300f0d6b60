"""The wall clock is set, in either direction: what waits waits as long as it was to, no longer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from job_play import Play, plan_of

from marianne import clock
from marianne.daemon.job.execution import Execution
from marianne.daemon.job.machine import JobMachine
from marianne.daemon.job_service import JobService
from marianne.daemon.shared.effects import Requeue, WakeAt
from marianne.daemon.shared.rate_limits import RateLimitCoordinator
from marianne.schedule.breaker import LONGEST_WAIT, THRESHOLD, Breakers
from marianne.schedule.pace import Pace
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus

SetClock = Callable[[float], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Sets the wall clock forward by so many seconds (back, when negative)."""
    real, by = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + by[0])

    def move(seconds: float) -> None:
        by[0] += seconds

    return move


class Hands:
    """Notes what is to be done."""

    def __init__(self) -> None:
        self.woken: list[tuple[int, float]] = []
        self.queued: list[int] = []

    def wake_at(self, num: int, due_at: float) -> None:
        self.woken.append((num, due_at - time.time()))

    def requeue(self, info: Any) -> None:
        self.queued.append(info.sheet_num)

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def waiting(due_in: float, ended_ago: float = 0.0) -> SheetRow:
    now = time.time()
    row = SheetRow(1, SheetStatus.WAITING, attempt=1, started_at=now - ended_ago - 1.0)
    row.finished_at, row.due_at = now - ended_ago, now + due_in
    return row


def service(row: SheetRow) -> tuple[Execution, Hands, JobMachine]:
    job = JobRow("job", "job", JobStatus.RUNNING, "/w", 0.0, 1)
    machine = JobMachine(plan_of({1: ()}, retries=3), job, {1: row}, lambda: 0.5)
    hands = Hands()
    made = Execution(machine, hands, JobService())
    made.worker_up({"unacked": ()})
    return made, hands, machine


@pytest.mark.parametrize("by", [-1.0, -3600.0, 3600.0])
def test_a_retry_delay_ends_when_its_timer_does_whatever_the_clock_says(
    set_clock: SetClock, by: float
) -> None:
    made, hands, _ = service(waiting(0.05))
    set_clock(by)
    time.sleep(0.06)  # the delay passes
    made.due(1)
    assert hands.queued == [1]


def test_a_timer_that_comes_early_is_set_again() -> None:
    play = Play(plan_of({1: ()}, retries=3))
    play.machine.rows[1] = row = SheetRow(1, SheetStatus.WAITING, due_at=play.now + 5.0)
    step = play.machine.due(1, play.now)
    assert step.now == [WakeAt(1, row.due_at or 0.0)]
    assert any(isinstance(e, Requeue) for e in play.machine.due(1, play.now + 5.0).now)


def test_when_a_sheet_is_due_is_shown_by_the_clock_as_it_is_set(set_clock: SetClock) -> None:
    made, _, machine = service(waiting(60.0))
    set_clock(3600.0)
    made.due(1)
    assert machine.rows[1].due_at == pytest.approx(time.time() + 60.0, abs=1.0)


YEARS = 10 * 365 * 86400.0


@pytest.mark.parametrize(
    ("due_in", "ended_ago", "seconds"),
    [(YEARS + 3.0, -YEARS, 3.0), (60.0, 1.0, 60.0), (-5.0, 10.0, 0.0)],
    ids=["an excursion into 2036", "still to wait", "over meanwhile"],
)
def test_a_restart_waits_no_longer_than_the_delay_was(
    due_in: float, ended_ago: float, seconds: float
) -> None:
    _, hands, machine = service(waiting(due_in, ended_ago))
    ((_, wait),) = hands.woken
    assert max(wait, 0.0) == pytest.approx(seconds, abs=1.5)
    assert machine.rows[1].due_at == pytest.approx(time.time() + wait, abs=1.0)


def test_time_that_a_clock_was_set_forward_by_is_not_time_that_a_job_ran(
    set_clock: SetClock,
) -> None:
    made, _, machine = service(waiting(60.0))
    made.look_at_clock(600.0)
    set_clock(3600.0)
    assert made.look_at_clock(600.0) == pytest.approx(600.0, abs=5.0)
    set_clock(-7200.0)
    made.look_at_clock(600.0)
    assert machine.job.status is JobStatus.RUNNING


def test_a_pace_is_kept_over_a_set_clock() -> None:
    pace = Pace(stagger=10.0, pause=0.0)
    assert pace.start(1, 1000.0, 0) is None
    assert pace.start(2, 1001.0, 1) == 1010.0
    pace.moved(-500.0)
    assert pace.start(2, 510.0, 1) is None
    assert pace.start(3, 511.0, 1) == 520.0


def test_a_pace_that_is_read_from_the_future_counts_from_now() -> None:
    pace = Pace(stagger=10.0, pause=5.0, last_start=9e9, last_end=9e9)
    when = pace.start(1, 1000.0, 0)
    assert when == 1010.0


def test_a_breaker_keeps_nobody_back_for_longer_than_it_may() -> None:
    breakers = Breakers.read({"cli": [THRESHOLD, 1, 9e9]})
    assert breakers.wait(1, "cli", 1000.0) == 1000.0 + LONGEST_WAIT
    assert breakers.wait(1, "cli", 1000.0 + LONGEST_WAIT) is None
    breakers = Breakers.read({"cli": [THRESHOLD, 1, 1030.0]})
    breakers.moved(-500.0)
    assert breakers.wait(1, "cli", 500.0) == 530.0


def test_a_rate_limit_lasts_as_long_as_it_was_to(set_clock: SetClock) -> None:
    board = RateLimitCoordinator()
    board.until = {"cli": clock.steady() + 60.0}
    for by in (-3600.0, 7200.0):
        set_clock(by)
        assert board.active_limits()["cli"] == pytest.approx(60.0, abs=5.0)


def test_what_is_old_is_not_more_because_the_clock_was_set(set_clock: SetClock) -> None:
    before = clock.earliest()
    set_clock(10 * 365 * 86400)
    assert clock.earliest() == pytest.approx(before, abs=5.0)


def test_a_watch_tells_each_setting_once(set_clock: SetClock) -> None:
    watch = clock.Watch()
    assert watch.moved() == 0.0
    set_clock(-30.0)
    assert watch.moved() == pytest.approx(-30.0, abs=0.2)
    assert watch.moved() == 0.0


def test_the_end_of_a_rate_limit_is_told_by_the_wall_clock(set_clock: SetClock) -> None:
    moment = clock.steady() + 60.0
    set_clock(3600.0)
    assert clock.to_wall(moment) == pytest.approx(time.time() + 60.0, abs=1.0)
