"""What a program that embeds a conductor is given: answers, events, an error it understands."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors import ActorDied, AskTimeout, ExitReason, NoSuchActor
from marianne.daemon import asking
from marianne.daemon.config import DaemonConfig
from marianne.daemon.event_bus import EventBus
from marianne.daemon.job.door import JobDoor
from marianne.daemon.manager import JobManager, NotRunningError
from marianne.daemon.shared.exceptions import JobSubmissionError
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.types import JobRequest

# -- asking -------------------------------------------------------------------------------------


class Handle:
    """An actor whose next answers are given; each is returned or raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    def within(self, seconds: float) -> Handle:
        return self

    async def call(self, what: Callable[..., Any], *args: Any, **named: Any) -> Any:
        self.asked.append((args, named))
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def ask(handle: Handle, request_id: str | None = None) -> Any:
    return asyncio.run(asking.ask(handle, print, ("a",), request_id))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "AGAIN", 0.0)


GONE = (NoSuchActor("manager"), ActorDied("manager", ExitReason("error", "it crashed")))


@pytest.mark.parametrize("passing", [*GONE, Refused("unavailable", "a restart")])
def test_an_actor_that_is_being_restarted_is_asked_again_under_the_same_id(
    passing: Exception,
) -> None:
    handle = Handle(passing, passing, "answer")
    assert ask(handle, "one") == "answer"
    assert handle.asked == [(("a",), {"request_id": "one"})] * 3


def test_what_is_refused_for_good_is_raised_and_not_asked_again() -> None:
    handle = Handle(Refused("conflict", "it is over"))
    with pytest.raises(Refused, match="it is over"):
        ask(handle)
    assert handle.asked == [(("a",), {})]


@pytest.mark.parametrize("error", [AskTimeout("late"), *GONE])
def test_patience_ends_as_a_timeout(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE", 0.0)
    with pytest.raises(TimeoutError):
        ask(Handle(error))


def test_a_submission_that_is_refused_says_what_to_do_next() -> None:
    async def refused() -> None:
        raise Refused("conflict", "it is taken", hint="choose another")

    with pytest.raises(JobSubmissionError, match="it is taken; choose another"):
        asyncio.run(asking.as_submitter(refused()))
    assert str(asking.submission_error(Refused("conflict", "no"))) == "no"


def test_a_request_is_completed_by_what_this_program_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_PROGRAM", "1")
    made = asking.completed(JobRequest(score="x"))
    assert made.environment["OF_THE_PROGRAM"] == "1"
    assert made.client_cwd == Path.cwd()
    own = JobRequest(score="x", environment={}, client_cwd=Path("/there"))
    assert asking.completed(own) == own, "an empty environment is one that was chosen"
    assert asking.place(Path("a")) == os.path.join(os.getcwd(), "a")
    assert asking.place(None) is None
    assert asking.new_id() != asking.new_id()


def test_what_is_asked_for_by_name_is_a_method_of_the_managers_actor() -> None:
    assert asking.method("submit_job").__name__ == "submit_job"
    with pytest.raises(AttributeError):
        asking.method("no_such_method")


def test_a_manager_that_was_not_started_says_so_and_ends_without_a_word() -> None:
    manager = JobManager(DaemonConfig())
    with pytest.raises(NotRunningError, match=r"await manager\.start\(\) first"):
        _ = manager.context
    asyncio.run(manager.shutdown())
    asyncio.run(manager.wait_for_shutdown())


def test_a_manager_is_bound_to_one_tree_as_long_as_that_runs() -> None:
    manager, context = JobManager(DaemonConfig()), SimpleNamespace()
    manager.bind(context)  # type: ignore[arg-type]
    assert manager.context is context
    manager.unbind()
    with pytest.raises(NotRunningError):
        _ = manager.context


# -- a job's door -------------------------------------------------------------------------------


def door(*answers: Any) -> JobDoor:
    context: Any = SimpleNamespace(job=lambda job_id: Handle(*answers))
    return JobDoor(context, "a", Path("/w"))


def test_a_pause_that_comes_too_late_or_is_refused_is_said_in_words() -> None:
    asyncio.run(door(None).pause())
    with pytest.raises(JobSubmissionError, match="it is over"):
        asyncio.run(door(Refused("conflict", "it is over")).pause())
    for error in GONE:
        with pytest.raises(JobSubmissionError, match="job a is just being put away"):
            asyncio.run(door(error).pause())


def test_the_status_of_a_job_that_has_just_ended_is_on_disk() -> None:
    assert asyncio.run(door(b"\x81\xa1a\x01").status()) == {"a": 1}
    for error in GONE:
        assert asyncio.run(door(error).status()) is None


# -- events -------------------------------------------------------------------------------------


def test_every_listener_hears_every_event_though_one_fails_or_goes() -> None:
    bus, heard = EventBus(), list[Any]()

    def fails(event: str, data: Any) -> None:
        bus.unsubscribe(fails)
        raise ValueError("the program's own fault")

    bus.subscribe(fails)
    bus.subscribe(lambda event, data: heard.append((event, data)))
    bus.publish("sheet.completed", {"sheet": 1})
    bus.publish("job.completed", {})
    assert heard == [("sheet.completed", {"sheet": 1}), ("job.completed", {})]


def test_a_listener_that_is_subscribed_in_a_loop_is_called_there_in_order_and_goes_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bus, heard = EventBus(), list[Any]()

    async def listen() -> None:
        loop = asyncio.get_running_loop()
        bus.subscribe(lambda event, data: heard.append((event, asyncio.get_running_loop() is loop)))
        await asyncio.to_thread(lambda: [bus.publish(str(number), {}) for number in range(3)])
        await asyncio.sleep(0)

    asyncio.run(listen())
    assert heard == [("0", True), ("1", True), ("2", True)]
    said: list[Any] = []
    log = SimpleNamespace(error=lambda *what, **_: said.append(what))
    monkeypatch.setattr("marianne.daemon.event_bus.log", log)
    bus.publish("after its loop was closed", {})
    bus.publish("and again", {})
    assert said == [], "who is gone is told nothing any more"
    assert len(heard) == 3
