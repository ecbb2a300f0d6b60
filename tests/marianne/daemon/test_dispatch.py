"""What a job decides goes out together, and what must come first does."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from marianne.daemon.job.dispatch import Dispatch
from marianne.daemon.job.runners import Runners
from marianne.model.plan import Growth
from marianne.schedule.entries import SheetInfo
from marianne.state.models import JobStatus


class Post:
    """Notes what is told to the worker and to the scheduler, and the actor's timers."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.timers: list[tuple[float, int]] = []
        self.cancelled: list[int] = []
        self.ends: list[JobStatus] = []
        runners = Runners(self, "a", ["local"])  # type: ignore[arg-type]
        self.dispatch = Dispatch(self, self, "a", runners)  # type: ignore[arg-type]
        self.due = self.finish = None
        self.incarnation = 5

    scheduler = property(lambda self: self._handle("scheduler"))

    def worker(self, job_id: str) -> Any:
        return self._handle("worker")

    def _handle(self, name: str) -> Any:
        def tell(method: Any, *args: Any, **named: Any) -> None:
            self.told.append((name, method.__name__, *args))

        return SimpleNamespace(tell=tell)

    def send_after(self, seconds: float, method: Any, num: int) -> Any:
        self.timers.append((seconds, num))
        return SimpleNamespace(cancel=lambda: self.cancelled.append(num))


@pytest.fixture
def post() -> Post:
    return Post()


def test_nothing_is_told_when_there_is_nothing_to_tell(post: Post) -> None:
    post.dispatch.flush(3)
    assert post.told == []


def test_what_came_together_is_one_message_to_each_and_is_told_once(post: Post) -> None:
    dispatch: Any = post.dispatch
    dispatch.granted(2)
    for num in (1, 2):
        dispatch.run(f"run {num}")
        dispatch.acknowledge(num)
        dispatch.release(num)
        dispatch.complete(num, True)
    dispatch.flush(4)
    assert post.told == [
        ("worker", "run", ["run 1", "run 2"], 2),
        ("worker", "acknowledge", [1, 2]),
        ("scheduler", "ended", "a", [1, 2], [(1, True), (2, True)], 4),
    ]
    dispatch.flush(4)
    assert len(post.told) == 3


def test_the_ends_of_sheets_are_told_before_what_the_scheduler_is_asked_next(post: Post) -> None:
    info = SheetInfo("a", 2)
    post.dispatch.release(1)
    post.dispatch.requeue(info)
    post.dispatch.complete(3, False)
    post.dispatch.deregister()
    assert post.told == [
        ("scheduler", "ended", "a", [1], [], 0),
        ("scheduler", "requeue", info),
        ("scheduler", "ended", "a", [], [(3, False)], 0),
        ("scheduler", "deregister_job", "a"),
    ]


def test_what_cannot_wait_is_told_at_once(post: Post) -> None:
    post.dispatch.withdraw()
    post.dispatch.end_sheets([1, 2], "cancelled")
    assert post.told == [("worker", "withdraw"), ("worker", "end_sheets", [1, 2], "cancelled")]


def test_the_worker_hears_what_it_is_to_run_before_what_of_that_it_is_not(post: Post) -> None:
    """A grant and a pause, or a cancel, come in one turn: the other way round the sheet would run
    in a job that is being cancelled, and nobody would end it."""
    dispatch: Any = post.dispatch
    dispatch.granted(1)
    dispatch.run("run 1")
    dispatch.withdraw()
    dispatch.run("run 2")
    dispatch.end_sheets([2], "cancelled")
    dispatch.flush(0)
    assert post.told == [
        ("worker", "run", ["run 1"], 1),
        ("worker", "withdraw"),
        ("worker", "run", ["run 2"], 1),
        ("worker", "end_sheets", [2], "cancelled"),
    ]


def test_a_sheet_has_one_timer_and_a_time_that_has_passed_is_now(post: Post) -> None:
    post.dispatch.wake_at(1, time.time() - 60)
    post.dispatch.wake_at(2, time.time() + 60)
    post.dispatch.wake_at(1, time.time() + 5)
    assert post.cancelled == [1]
    assert [num for _, num in post.timers] == [1, 2, 1]
    assert post.timers[0][0] == 0.0
    assert 50 < post.timers[1][0] <= 60


def test_a_long_wait_is_looked_at_each_minute_for_a_timer_stands_still_while_the_machine_sleeps(
    post: Post,
) -> None:
    post.dispatch.wake_at(1, time.time() + 3600)
    assert post.timers == [(60.0, 1)]


def test_who_runs_sheets_knows_of_new_ones_before_who_queues_them(post: Post) -> None:
    growth, info = Growth(1, 2, ("a",), ("s[a]",)), SheetInfo("a", 2)
    post.dispatch.complete(5, True)
    post.dispatch.grow((growth,), [info], {2: (1,)})
    assert [told[:2] for told in post.told] == [
        ("scheduler", "ended"),
        ("worker", "grow"),
        ("scheduler", "extend"),
    ]
    post.dispatch.grow((growth,), (), {})  # it is queued otherwise
    assert post.told[3:] == [("worker", "grow", (growth,))]
