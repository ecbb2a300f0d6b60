"""Who looks after the machine: what is the case, what of it is written, what a full disk means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from handler_stage import Desk, desk_in

from actors import Future
from marianne.daemon.services import machine as watched
from marianne.daemon.services.machine import Machine
from marianne.daemon.services.notifications import Notifications
from marianne.daemon.shared.alive import ALIVE
from marianne.notify.facts import OVER, OVER_SECONDS, TROUBLE
from marianne.schedule.pressure import PressureLevel
from marianne.state.changes import Change, SetMeta
from marianne.state.errors import StoreError, StoreFull
from marianne.state.models import Event


class Watched(Machine):
    """The actor without its thread."""

    def pipe(self, future: Any, method: Any, *args: Any) -> None:
        future.on_done(lambda done: method(done.outcome(), *args))

    def send_after(self, seconds: float, method: Any, *args: Any) -> Any:
        return None


class Stage:
    """What the actor looks at, and what it writes."""

    def __init__(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        self.desk, self.now = desk, 0.0
        self.problem: str | None = None
        self.level = PressureLevel.NONE
        self.refuses: Exception | None = None
        self.unwritten: list[Event] = []
        context = desk.context
        context.serving = context.heart_lost = False
        context.storage = SimpleNamespace(words=lambda: self.problem)
        context.backpressure = SimpleNamespace(resource_level=lambda: self.level)
        context.resources = SimpleNamespace(in_words=lambda: "9 of 10 MB")
        context.notifications = SimpleNamespace(tell=self.told)
        context.store.call = self.write
        monkeypatch.setattr(watched, "steady", lambda: self.now)

    def told(self, method: Any, event: Event) -> None:
        assert method is Notifications.unwritten
        self.unwritten.append(event)

    def write(self, method: Any, changes: list[Change], **named: Any) -> Future[None]:
        future: Future[None] = Future(self.desk.system, "store", None, None)
        if self.refuses is not None:
            future.refuse(self.refuses)
        else:
            self.desk.write(*changes)
            future.answer(None)
        return future

    def actor(self) -> Watched:
        actor = Watched(self.desk.context)
        actor.on_start()
        return actor

    def events(self) -> list[tuple[str, str, str]]:
        found = self.desk.reader.events.since(0)
        return [(e.event, e.data["kind"], e.data["what"]) for e in found if "kind" in e.data]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with desk_in(tmp_path) as desk:
        yield Stage(desk, monkeypatch)


def test_a_trouble_outlives_who_told_it(stage: Stage) -> None:
    stage.problem = "the disk is full"
    stage.actor().look()
    assert stage.events() == [(TROUBLE, "storage", "")]
    again = stage.actor()
    assert len(stage.events()) == 1
    stage.problem = None
    again.look()
    stage.now += OVER_SECONDS
    again.look()
    assert stage.events()[1:] == [(OVER, "storage", "")]
    stage.actor()
    assert len(stage.events()) == 2


def test_that_the_conductor_before_died_is_told_by_the_next_and_not_by_itself(
    stage: Stage,
) -> None:
    stage.actor()
    assert stage.events() == []
    stage.desk.write(SetMeta(ALIVE, b"1"))
    stage.actor()
    assert stage.events() == [(TROUBLE, "conductor", "")]
    stage.desk.context.serving = True
    stage.actor().look()
    assert len(stage.events()) == 1, "a part that starts again is no conductor"


@pytest.mark.parametrize("error", [StoreFull("full"), StoreError("EIO")])
def test_a_disk_that_takes_nothing_is_told_at_once_and_its_end_when_it_does(
    stage: Stage, error: StoreError
) -> None:
    actor = stage.actor()
    stage.problem, stage.refuses = "the disk is full", error
    actor.look()
    actor.look()
    assert [event.data["why"] for event in stage.unwritten] == ["the disk is full"]
    assert stage.unwritten[0].seq < 0
    stage.problem = stage.refuses = None
    actor.look()
    assert stage.events() == [], "it was told already"
    stage.now += OVER_SECONDS
    stage.actor().look()  # another one knows of it: that is on disk by now
    stage.now += OVER_SECONDS
    actor.look()
    assert stage.events() == [(OVER, "storage", "")]


def test_what_else_is_not_written_is_told_when_it_is(stage: Stage) -> None:
    actor = stage.actor()
    stage.refuses = StoreFull("full")
    stage.desk.context.heart_lost = True
    actor.look()
    assert (stage.unwritten, stage.events()) == ([], [])
    stage.refuses = None
    actor.look()
    assert stage.events() == [(TROUBLE, "heart", "")]


def test_a_node_is_lost_until_it_is_reached_or_gone(stage: Stage) -> None:
    actor = stage.actor()
    actor.node("c: n1", "it is silent")
    actor.look()
    assert stage.events() == [(TROUBLE, "node", "c: n1")]
    again = stage.actor()
    assert len(stage.events()) == 1, "nobody has said that it is back"
    again.node("c: n1", None)
    again.look()
    stage.now += OVER_SECONDS
    again.look()
    assert stage.events()[1:] == [(OVER, "node", "c: n1")]


def test_pressure_is_that_of_memory_and_processes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = stage.actor()
    stage.level = PressureLevel.HIGH
    actor.look()
    stage.now += 10_000.0
    actor.look()
    (event,) = stage.desk.reader.events.since(0)
    assert event.data["why"] == "high: 9 of 10 MB"
