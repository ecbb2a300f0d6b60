"""Code from outside (listeners, callbacks, the texts of exceptions) may raise what it likes.

The end of an actor is published, its askers are answered and its supervisor restarts it all the
same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actors import (
    Actor,
    ActorDied,
    ChildSpec,
    ExitReason,
    StartError,
    Supervisor,
    System,
    SystemEvent,
)


class MuteError(Exception):
    """Says nothing about itself."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__

    def __bool__(self) -> bool:
        raise ValueError("neither true nor false")


class StubbornError(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


class CunningError(Exception):
    def __str__(self) -> str:
        raise SystemExit(1)


def crash_mute() -> None:
    raise MuteError


def crash_for_a_mute_cause() -> None:
    try:
        raise MuteError
    except MuteError as cause:
        raise ValueError("outer") from cause


def crash_stubbornly() -> None:
    raise StubbornError


def crash_cunningly() -> None:
    raise CunningError


class Fragile(Actor):
    def crash(self, how: Callable[[], None]) -> None:
        how()

    def ping(self) -> str:
        return "pong"


def spawn(world: Any) -> int:
    children = [ChildSpec("a", Fragile)]
    world.system.spawn(Supervisor, "one_for_one", children, name="sup")
    return incarnation(world)


def incarnation(world: Any) -> int:
    ref = world.system.whereis("a")
    return 0 if ref is None else ref.incarnation


def is_restarted(world: Any, before: int) -> None:
    world.until(lambda: incarnation(world) not in {0, before})
    assert world.system.handle(Fragile, "a").ask(Fragile.ping) == "pong"


@pytest.mark.parametrize(
    "how", [crash_mute, crash_for_a_mute_cause, crash_stubbornly, crash_cunningly]
)
def test_an_exception_that_cannot_be_shown_is_a_crash_like_any_other(
    world: Any, how: Callable[[], None]
) -> None:
    events: list[SystemEvent] = []
    world.system.on_event(events.append)
    before = spawn(world)
    with pytest.raises(ActorDied) as died:
        world.system.handle(Fragile, "a").ask(Fragile.crash, how)
    assert died.value.reason.kind == "error"
    is_restarted(world, before)
    [crashed] = [event for event in events if event.kind == "crashed"]
    assert crashed.error


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, MuteError])
def test_a_listener_that_raises_harms_nobody(world: Any, error: type[BaseException]) -> None:
    def listen(*_event: object) -> None:
        raise error

    world.system.on_event(listen)
    world.system.registry.subscribe(listen)
    before = spawn(world)
    world.system.handle(Fragile, "a").tell(Fragile.crash, crash_mute)
    is_restarted(world, before)
    assert world.system.events.counts["listener_failed"] > 0


def test_a_listener_can_be_removed(system: System) -> None:
    events: list[SystemEvent] = []
    changes: list[tuple[str, str, int]] = []
    forget = system.on_event(events.append)
    forget_names = system.registry.subscribe(lambda *change: changes.append(change))
    system.spawn(Fragile)
    seen = len(events), len(changes)
    assert 0 not in seen
    forget()
    forget_names()
    forget()
    system.spawn(Fragile)
    assert (len(events), len(changes)) == seen


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, MuteError])
def test_an_on_done_callback_that_raises_harms_nobody(
    world: Any, error: type[BaseException]
) -> None:
    def callback(_future: object) -> None:
        raise error

    ref = world.system.spawn(Fragile)
    future = ref.call(Fragile.ping)
    future.on_done(callback)
    assert future.get() == "pong"
    assert ref.ask(Fragile.ping) == "pong"
    world.until(lambda: world.system.events.counts["warning"] == 1)


def test_a_start_with_an_answer_that_cannot_be_shown_is_an_error(world: Any) -> None:
    class Odd(Actor):
        def on_start(self) -> None:
            return MuteError()  # type: ignore[return-value]

    with pytest.raises(StartError, match="on_start"):
        world.system.spawn(Odd)


def test_a_reason_that_is_none_is_refused_to_whoever_gives_it(world: Any) -> None:
    ref = world.system.spawn(Fragile)
    with pytest.raises(TypeError, match="ExitReason"):
        ref.stop("shutdown")  # type: ignore[arg-type]
    assert ref.ask(Fragile.ping) == "pong"
    with pytest.raises(TypeError, match="ExitReason"):
        world.system.handle(Fragile, ref.name).stop(None)  # type: ignore[arg-type]


def test_a_reason_with_an_odd_detail_has_a_text() -> None:
    assert str(ExitReason("error", MuteError())) == "error(<MuteError that cannot be shown>)"  # type: ignore[arg-type]
